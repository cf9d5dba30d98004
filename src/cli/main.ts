/** The process of the CLI. bin/coffer says in COFFER_NAME under which name it was started. */
import { basename } from 'node:path'
import { processIo } from './io.ts'
import { runProgram } from './program.ts'

const name = basename(process.env['COFFER_NAME'] ?? 'coffer')
const program = name === 'vault' || name === 'bao' ? name : 'coffer'
process.exitCode = await runProgram(program, process.argv.slice(2), processIo())
