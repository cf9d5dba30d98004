/** `fingerprints`: the index by which `scan` and `scrub` know secrets that they do not have. */
import { writeWhole } from '../../agent/write-file.ts'
import { CliError } from '../cli-error.ts'
import { defineCommand, flag } from '../command.ts'
import { readIndex } from './fingerprints-file.ts'

export const command = defineCommand({
  path: ['fingerprints'],
  summary: 'Writes an index by which scan and scrub know your secrets',
  help:
    'Asks the server for keyed fingerprints of all versions of the secrets below a path that your ' +
    'token may read, and writes them to a file. No value is in it, and none leaves the server. ' +
    'Whoever has the file can test guesses, so short and plain values are left out; keep it as you ' +
    'would keep a list of the names of your secrets.',
  examples: [
    { does: 'All you may read', line: 'coffer fingerprints -out=secrets.index' },
    { does: 'A hook that needs no server', line: 'coffer scan -staged -index=secrets.index' },
    { does: 'A log', line: 'app 2>&1 | coffer scrub -index=secrets.index' },
  ],
  args: [
    { name: 'path', help: 'Where to begin, with the mount. Default: all mounts.', optional: true },
  ],
  flags: { out: flag.string('The file to write.', { default: 'secrets.index' }) },
  async run({ api, args, flags, out }) {
    const path = args[0] ?? ''
    const doing = `Error making fingerprints of ${path === '' ? 'all mounts' : path}`
    const body = { path }
    const secret = await api.secret({ method: 'PUT', path: 'sys/coffer/fingerprints', body, doing })
    const data = (secret?.data ?? {}) as Record<string, unknown>
    // What cannot be read back is not written.
    const text = `${JSON.stringify(data)}\n`
    const { refs } = readIndex(text, 'the answer of the server')
    await written(flags.out, text)
    const { secrets, left_out: leftOut, truncated, public_key: key } = data
    const told = { file: flags.out, secrets, values: refs.length, left_out: leftOut, truncated }
    if (!out.tabular) return out.structured({ ...told, public_key: key })
    out.line(`Wrote ${flags.out}: ${refs.length} values of ${String(secrets)} secrets`)
    out.line(`Signed with the key: ${String(key)}`)
    if (Number(leftOut) > 0) out.line(`Left out as too easy to guess: ${String(leftOut)}`)
    if (truncated === true) out.line('There are more secrets than go into one index: name a path.')
  },
})

/** Whole or not at all: a hook must not find half an index when this is ended. */
async function written(file: string, text: string): Promise<void> {
  try {
    await writeWhole(file, text, { mode: 0o600 })
  } catch (error) {
    const { code = 'unwritable' } = error as NodeJS.ErrnoException
    throw new CliError(`the index ${file} cannot be written (${code})`)
  }
}
