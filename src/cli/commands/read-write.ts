/** The verbs of the API itself: read, write, list, patch and delete, at any path. */
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { showKeys, showNone, showSecret, showWarnings } from '../output/secret.ts'
import { readPairs, readTextPairs } from '../pairs.ts'
import { trimSlashes } from '../paths.ts'

const path = { name: 'path', help: 'Path of the API, without /v1/.' } as const
const data = {
  name: 'key=value',
  help: 'Data: key=value, key=@file, key=- for standard input, @file or - for a JSON object.',
  optional: true,
  many: true,
} as const

type At = Pick<Context, 'io' | 'settings'>
const pairsOf = ({ io, settings }: At) => ({ io, interactive: settings.interactive })

/** What a list of pairs is in a query: a key given twice is there twice. */
async function queryOf(
  at: At,
  words: readonly string[],
): Promise<Record<string, string | string[]>> {
  const pairs = await readPairs(words, pairsOf(at))
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  return Object.fromEntries(
    Object.entries(pairs).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(text) : text(value),
    ]),
  )
}

const noValue = (where: string, hint?: string) =>
  new CliError(`No value found at ${where}`, { exit: 2, ...(hint === undefined ? {} : { hint }) })

const read = defineCommand({
  path: ['read'],
  summary: 'Reads data from a path',
  help: 'Reads what is at a path of the API and prints it. For KV secrets, `kv get` knows the versions.',
  examples: [
    { does: 'Who am I', line: 'coffer read auth/token/lookup-self' },
    { does: 'Credentials that exist only from now on', line: 'coffer read database/creds/app' },
    { does: 'The answer byte for byte', line: 'coffer read -format=raw sys/seal-status' },
  ],
  args: [path, { ...data, help: 'Parameters of the query, as key=value.' }],
  exits: { 2: 'nothing is there, or the server refused' },
  async run(at) {
    const where = trimSlashes(at.args[0]!)
    const query = await queryOf(at, at.args.slice(1))
    const ask = { method: 'GET', path: where, query, doing: `Error reading ${where}` } as const
    if (at.settings.format === 'raw') {
      at.out.raw((await at.api.call(ask)).text)
      return
    }
    const secret = await at.api.secret(ask)
    if (secret === undefined) throw noValue(where)
    if (secret.data === null && secret.auth === null && secret.wrapInfo === null) {
      showWarnings(at, secret.warnings)
      const versioned = secret.warnings.some((warning) => warning.includes('versioned K/V'))
      throw noValue(where, versioned ? `use: ${at.program} kv get ${where}` : undefined)
    }
    showSecret(at, secret)
  },
})

const write = defineCommand({
  path: ['write'],
  summary: 'Writes data to a path',
  help: 'Writes data to a path of the API. What the data means is up to the engine behind the path.',
  examples: [
    { does: 'Keep a value of your own', line: 'coffer write cubbyhole/note text=hello' },
    { does: 'A value from a file', line: 'coffer write transit/keys/app config=@config.json' },
    { does: 'The whole body from standard input', line: 'echo \'{"a":1}\' | coffer write kv/a -' },
    { does: 'Write with no data', line: 'coffer write -f transit/keys/app' },
  ],
  args: [path, data],
  flags: {
    force: flag.bool('Write although there is no data.', { alias: ['f'] }),
  },
  async run(at) {
    const [first, ...words] = at.args
    const where = trimSlashes(first!)
    if (words.length === 0 && !at.flags.force) {
      throw new CliError('Must supply data or use -force', {
        hint: `for example: ${at.program} write ${where} key=value`,
      })
    }
    const body = await readPairs(words, pairsOf(at))
    const doing = `Error writing data to ${where}`
    const secret = await at.api.secret({ method: 'PUT', path: where, body, doing })
    if (secret !== undefined) return showSecret(at, secret)
    if (at.out.tabular) at.out.line(`Success! Data written to: ${where}`)
  },
})

const list = defineCommand({
  path: ['list'],
  summary: 'Lists the names below a path',
  examples: [
    { does: 'All policies', line: 'coffer list sys/policies/acl' },
    { does: 'Names with what is known of each', line: 'coffer list -detailed identity/entity/id' },
  ],
  args: [path],
  exits: { 2: 'nothing is there, or the server refused' },
  async run(at) {
    const where = trimSlashes(at.args[0]!)
    const ask = { method: 'LIST', path: where, doing: `Error listing ${where}` } as const
    const secret = await at.api.secret(ask)
    if (secret === undefined) return showNone(at, `No value found at ${where}`)
    if (secret.wrapInfo !== null) return showSecret(at, secret)
    if (!Array.isArray(secret.data?.['keys'])) {
      showWarnings(at, secret.warnings)
      return showNone(at, `No entries found at ${where}`)
    }
    showKeys(at, secret)
  },
})

const patch = defineCommand({
  path: ['patch'],
  summary: 'Changes part of the data at a path',
  help: 'Sends a JSON merge patch: named keys are set, a null removes one, the others stay.',
  examples: [{ does: 'One field of a PKI role', line: 'coffer patch pki/roles/web ttl=24h' }],
  args: [path, data],
  flags: {
    force: flag.bool('Patch although there is no data.', { alias: ['f'] }),
  },
  async run(at) {
    const [first, ...words] = at.args
    const where = trimSlashes(first!)
    if (words.length === 0 && !at.flags.force) {
      throw new CliError('Must supply data or use -force', {
        hint: `for example: ${at.program} patch ${where} key=value`,
      })
    }
    const body = await readPairs(words, pairsOf(at))
    const doing = `Error writing data to ${where}`
    const secret = await at.api.secret({ method: 'PATCH', path: where, body, doing })
    if (secret !== undefined) return showSecret(at, secret)
    if (at.out.tabular) at.out.line(`Success! Data written to: ${where}`)
  },
})

const remove = defineCommand({
  path: ['delete'],
  summary: 'Deletes what is at a path',
  help: 'Deletes what is at a path of the API. For versions of KV secrets there is `kv delete`.',
  examples: [{ does: 'An AppRole', line: 'coffer delete auth/approle/role/app' }],
  args: [path, { ...data, help: 'Parameters of the query, as key=value.' }],
  async run(at) {
    const where = trimSlashes(at.args[0]!)
    const query = await readTextPairs(at.args.slice(1), pairsOf(at))
    const doing = `Error deleting ${where}`
    const secret = await at.api.secret({ method: 'DELETE', path: where, query, doing })
    if (secret !== undefined) return showSecret(at, secret)
    if (at.out.tabular) at.out.line(`Success! Data deleted (if it existed) at: ${where}`)
  },
})

export const commands = [read, write, list, patch, remove]
