/** The process of the CLI. bin/coffer says in COFFER_NAME under which name it was started. */
import { basename } from 'node:path'
import { cacheCompiledCode } from './compile-cache.ts'

cacheCompiledCode(process.env)
// Imported only now, so that the cache is on before there is something to compile.
const [{ processIo }, { runProgram }] = await Promise.all([
  import('./io.ts'),
  import('./program.ts'),
])
const name = basename(process.env['COFFER_NAME'] ?? 'coffer')
const program = name === 'vault' || name === 'bao' ? name : 'coffer'
process.exitCode = await runProgram(program, process.argv.slice(2), processIo())
