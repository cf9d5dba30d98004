/** `audit verify`: whether a log is as the server wrote it, asked of the server or of a saved witness. */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { type LogLine, type Verdict, verifyAudit, type Witness } from '../../core/audit-verify.ts'
import { type Witnessed } from '../../core/audit-witness.ts'
import { isObject, parseJson } from '../../lib/json.ts'
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { whyUnreadable } from '../unreadable.ts'
import { table } from '../output/table.ts'

const WITNESS_PATH = 'sys/coffer/audit/witness'
const NOT_AS_WRITTEN = 3
const TROUBLES_SHOWN = 20
const CHUNK = 1024 * 1024
/** Of an Ed25519 public key. */
const KEY_BYTES = 32

export const command = defineCommand({
  path: ['audit', 'verify'],
  summary: 'Checks that an audit log is as it was written',
  help:
    'Reads the files of an audit device, oldest first, and checks that no line was changed, ' +
    'removed, added or moved: every line is numbered and hashed by a later one, and checkpoints ' +
    'are signed by the server.\n\n' +
    'The server says what the signatures are checked with and how far each chain has come. A ' +
    'witness, saved earlier and kept elsewhere, does so without it, and even if the server is ' +
    'gone or cannot be trusted any more. Lines after the newest checkpoint (at most 1,000, or ' +
    '10 seconds) are covered by nobody: cutting them off cannot be noticed.',
  examples: [
    { does: 'The log of today', line: 'coffer audit verify /var/log/coffer-audit.log' },
    { does: 'With the rotated one', line: 'coffer audit verify -whole audit.log.1 audit.log' },
    {
      does: 'Save a witness',
      line: `coffer read -format=json ${WITNESS_PATH} > witness.json`,
    },
    { does: 'Without the server', line: 'coffer audit verify -witness=witness.json audit.log' },
  ],
  args: [{ name: 'file', help: 'A log file; the oldest first.', many: true }],
  flags: {
    witness: flag.string('A saved witness, instead of asking the server.'),
    device: flag.string('Path of the device: its chains must be there.'),
    whole: flag.bool('Nothing before these files was rotated away.'),
  },
  exits: {
    0: 'the log is as it was written',
    1: 'a file could not be read',
    2: 'the server refused or could not be reached',
    [NOT_AS_WRITTEN]: 'the log is not as it was written',
  },
  async run(at) {
    const { device, whole } = at.flags
    const witness = await witnessOf(at, at.flags.witness)
    const verdict = await verifyAudit(linesOf(at.args, at), witness, {
      ...(device !== undefined && { device: device.endsWith('/') ? device : `${device}/` }),
      ...(whole && { whole }),
    })
    if (at.out.tabular) show(at, verdict)
    else at.out.structured({ ...verdict, ok: verdict.troubles.length === 0 })
    return verdict.troubles.length === 0 ? 0 : NOT_AS_WRITTEN
  },
})

async function witnessOf(at: Pick<Context, 'api'>, file?: string): Promise<Witness> {
  const data = file === undefined ? await asked(at) : await saved(file)
  const { public_key: key, checkpoints } = data
  const bytes = Buffer.from(typeof key === 'string' ? key : '', 'base64')
  if (bytes.length !== KEY_BYTES || !Array.isArray(checkpoints)) {
    throw new CliError(`${file ?? WITNESS_PATH} holds no witness`, {
      hint: `save one with: coffer read -format=json ${WITNESS_PATH}`,
    })
  }
  return { publicKey: bytes, checkpoints: checkpoints as Witnessed[] }
}

async function asked({ api }: Pick<Context, 'api'>): Promise<Record<string, unknown>> {
  const doing = 'Error asking for the witness'
  const secret = await api.secret({ method: 'GET', path: WITNESS_PATH, doing, strict: true })
  return secret?.data ?? {}
}

async function saved(file: string): Promise<Record<string, unknown>> {
  let value: unknown
  try {
    value = parseJson(await readFile(file, 'utf8'))
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${whyUnreadable(error)}`)
  }
  const inner = isObject(value) && isObject(value['data']) ? value['data'] : value
  return isObject(inner) ? inner : {}
}

/** The lines of the files, with a word on the terminal about how far it has come. */
async function* linesOf(files: readonly string[], { io }: Context): AsyncGenerator<LogLine> {
  const sizes = await Promise.all(files.map(sizeOf))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  let [done, shown] = [0, -1]
  for (const file of files) {
    let number = 0
    for await (const text of splitLines(file)) {
      done += Buffer.byteLength(text) + 1
      const percent = Math.floor((done / total) * 100)
      if (io.stderr.isTTY === true && percent !== shown) {
        shown = percent
        io.stderr.write(`\rverifying … ${String(Math.min(percent, 100)).padStart(3)} %`)
      }
      yield { file, number: ++number, text }
    }
  }
  if (shown >= 0) io.stderr.write('\r\u001b[K')
}

/** Only a newline ends a line here: readline would also split at U+2028, which JSON may hold. */
async function* splitLines(file: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: CHUNK })) {
    const lines = (rest + (chunk as string)).split('\n')
    rest = lines.pop()!
    yield* lines
  }
  if (rest !== '') yield rest
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${whyUnreadable(error)}`)
  }
}

function show({ out }: Context, verdict: Verdict): void {
  const { lines, chains, checkpoints, unsigned, torn, troubles, notes } = verdict
  const rows: [string, string][] = [
    ['Lines', String(lines)],
    ['Chains', String(chains)],
    ['Checkpoints', String(checkpoints)],
    ['Covered by none yet', String(unsigned)],
    ['Torn lines', String(torn)],
    ['Troubles', String(troubles.length)],
  ]
  out.line(table(['Key', 'Value'], rows))
  for (const note of notes) out.line(`\nnote: ${note}`)
  if (troubles.length > 0) out.line('')
  for (const { kind, file, line, text } of troubles.slice(0, TROUBLES_SHOWN)) {
    out.line(`${kind}: ${line > 0 ? `${file}:${line}: ` : ''}${text}`)
  }
  if (troubles.length > TROUBLES_SHOWN) out.line(`… and ${troubles.length - TROUBLES_SHOWN} more`)
  out.line(
    troubles.length === 0
      ? '\nThe log is as it was written.'
      : '\nThe log is NOT as it was written.',
  )
}
