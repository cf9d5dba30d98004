/** `kv get`, `kv put` and `kv patch`: the secret itself. */
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { refusedWith, type Secret } from '../../http/api.ts'
import { showField, showSecret, showSection, showWarnings } from '../../output/secret.ts'
import { heading } from '../../output/table.ts'
import { readPairs } from '../../pairs.ts'
import { keyArg, locate, mountFlag, needsVersion2 } from './place.ts'

type At = Pick<Context, 'api' | 'out' | 'settings'>

const dataArg = {
  name: 'key=value',
  help: 'Data: key=value, key=@file, key=- for standard input, @file or - for a JSON object.',
  optional: true,
  many: true,
} as const
const casFlag = flag.int(
  'Write only if the current version is this one; 0: only if there is none yet.',
)

export const get = defineCommand({
  path: ['kv', 'get'],
  summary: 'Reads a secret',
  help: 'Prints the secret at a path and, on version 2 of the engine, what is known of it.',
  examples: [
    { does: 'The newest version', line: 'coffer kv get -mount=secret app/db' },
    { does: 'The mount in front of the path', line: 'coffer kv get secret/app/db' },
    { does: 'One value, for a script', line: 'coffer kv get -mount=secret -field=password app/db' },
    { does: 'An older version', line: 'coffer kv get -mount=secret -version=1 app/db' },
  ],
  args: [keyArg],
  flags: { version: flag.int('Read this version instead of the newest.'), mount: mountFlag },
  exits: { 2: 'nothing is there, or the server refused' },
  async run(at) {
    const place = await locate(at, at.args[0]!, at.flags.mount)
    const path = place.full('data')
    const { version } = at.flags
    const query = place.v2 && version !== undefined && version > 0 ? { version: `${version}` } : {}
    const secret = await at.api.secret({
      method: 'GET',
      path,
      query,
      doing: `Error reading ${path}`,
    })
    if (secret === undefined) throw new CliError(`No value found at ${path}`, { exit: 2 })
    if (secret.wrapInfo !== null) return showSecret(at, secret)
    if (!place.v2) return showPlain(at, path, secret)
    showVersioned(at, path, secret)
  },
})

function showPlain(at: At, path: string, secret: Secret): void {
  if (at.settings.field !== undefined || !at.out.tabular) return showSecret(at, secret)
  showWarnings(at, secret.warnings)
  if (secret.data === null) throw new CliError(`No value found at ${path}`, { exit: 2 })
  showSection(at, 'Data', secret.data)
}

function showVersioned(at: At, path: string, secret: Secret): void {
  const data = secret.data?.['data']
  const { field } = at.settings
  if (field !== undefined) {
    if (!isObject(data)) throw new CliError(`No data found at ${path}`, { exit: 2 })
    // A literal `data` is a key of the secret first, and the whole secret if there is none.
    const whole = field === 'data' && !Object.hasOwn(data, 'data')
    return showField(at, whole ? data : Object.hasOwn(data, field) ? data[field] : undefined, field)
  }
  if (!at.out.tabular) return showSecret(at, secret)
  showWarnings(at, secret.warnings)
  if (secret.data === null) throw new CliError(`No value found at ${path}`, { exit: 2 })
  const { metadata } = secret.data
  showPath(at, 'Secret Path', path)
  if (isObject(metadata)) {
    showSection(at, 'Metadata', metadata)
    at.out.line('')
  }
  if (isObject(data)) showSection(at, 'Data', data)
}

export function showPath(at: Pick<Context, 'out'>, title: string, path: string): void {
  at.out.line(`${heading(title, path.length)}\n${path}\n`)
}

export const put = defineCommand({
  path: ['kv', 'put'],
  summary: 'Writes a secret, replacing what was there',
  help:
    'Writes a secret. On version 2 of the engine this is a new version, on version 1 the old one ' +
    'is gone. Keys that are not given are not kept: `kv patch` keeps them.',
  examples: [
    { does: 'Two values', line: 'coffer kv put -mount=secret app/db user=app password=@pw.txt' },
    { does: 'A JSON object', line: 'coffer kv put -mount=secret app/db @db.json' },
    {
      does: 'A value that is in no shell history',
      line: 'pass show db | coffer kv put -mount=secret app/db password=-',
    },
    {
      does: 'Only if nobody was faster',
      line: 'coffer kv put -mount=secret -cas=4 app/db user=app',
    },
  ],
  args: [keyArg, dataArg],
  flags: { cas: casFlag, mount: mountFlag },
  async run(at) {
    const [key, ...words] = at.args
    if (words.length === 0) throw noData(at, 'put')
    const data = await readPairs(words, { io: at.io, interactive: at.settings.interactive })
    const place = await locate(at, key!, at.flags.mount)
    const path = place.full('data')
    const { cas } = at.flags
    const options = cas === undefined || cas < 0 ? {} : { cas }
    const body = place.v2 ? { data, options } : data
    const doing = `Error writing data to ${path}`
    const secret = await at.api.secret({ method: 'PUT', path, body, doing })
    showWritten(at, path, secret)
  },
})

const noData = ({ program, args }: Pick<Context, 'program' | 'args'>, verb: string) =>
  new CliError('Must supply data', {
    hint: `for example: ${program} kv ${verb} ${args[0]} password=- or @data.json`,
  })

/** What a write says: the new version, or only that it is done. */
export function showWritten(at: At, path: string, secret: Secret | undefined): void {
  if (secret === undefined) {
    if (at.out.tabular) at.out.line(`Success! Data written to: ${path}`)
    return
  }
  const plain = at.settings.field !== undefined || !at.out.tabular || secret.wrapInfo !== null
  if (plain || secret.data === null) return showSecret(at, secret)
  showWarnings(at, secret.warnings)
  showPath(at, 'Secret Path', path)
  showSection(at, 'Metadata', secret.data)
}

export const patch = defineCommand({
  path: ['kv', 'patch'],
  summary: 'Changes some keys of a secret and keeps the others',
  help:
    'Writes a new version with some keys changed. Asks the server to merge; where its policy does ' +
    'not allow that, the secret is read, merged here, and written if nobody was faster. ' +
    'Version 2 of the engine only.',
  examples: [
    { does: 'A new password', line: 'coffer kv patch -mount=secret app/db password=@new.txt' },
    { does: 'One key less', line: 'coffer kv patch -mount=secret -remove-data=old app/db' },
  ],
  args: [keyArg, dataArg],
  flags: {
    cas: flag.int('Write only if the current version is this one.'),
    method: flag.string('How: patch, or rw for read, merge, write.', { oneOf: ['patch', 'rw'] }),
    mount: mountFlag,
    'remove-data': flag.list('Key to remove. May be given many times.'),
  },
  async run(at) {
    const [key, ...words] = at.args
    const removed = at.flags['remove-data']
    if (words.length === 0 && removed.length === 0) throw noData(at, 'patch')
    const changes = await readPairs(words, { io: at.io, interactive: at.settings.interactive })
    // In a merge patch, null removes.
    for (const name of removed) changes[name] = null
    const place = await locate(at, key!, at.flags.mount)
    needsVersion2(place, 'K/V engine mount must be version 2 for patch support', 2)
    const path = place.full('data')
    const secret = await patched(at, path, changes)
    showWritten(at, path, secret)
  },
})

type PatchContext = At & {
  readonly flags: { readonly cas: number | undefined; method: string | undefined }
}

async function patched(
  at: PatchContext,
  path: string,
  changes: JsonObject,
): Promise<Secret | undefined> {
  const { cas, method } = at.flags
  if (method === 'rw') return readThenWrite(at, path, changes)
  const options = cas !== undefined && cas > 0 ? { cas } : {}
  const body = { data: changes, options }
  try {
    const doing = `Error writing data to ${path}`
    return await at.api.secret({ method: 'PATCH', path, body, doing })
  } catch (error) {
    if (method === 'patch' || !refusedWith(error, 403, 405)) throw error
    const secret = await readThenWrite(at, path, changes)
    if (error.status === 403) {
      at.out.warn(
        `Data was written to ${path} but we recommend that you add the "patch" capability to your ` +
          'ACL policy in order to use HTTP PATCH in the future.',
      )
    }
    return secret
  }
}

async function readThenWrite(
  at: At,
  path: string,
  changes: JsonObject,
): Promise<Secret | undefined> {
  const doing = `Error doing pre-read at ${path}`
  const old = await at.api.secret({ method: 'GET', path, doing, aside: true })
  if (old?.data === undefined || old.data === null) {
    throw new CliError(`No value found at ${path}`, { exit: 2 })
  }
  const { data, metadata } = old.data
  if (!isObject(metadata) || !isObject(data)) {
    throw new CliError(`No data found at ${path}; patch only works on existing data`, { exit: 2 })
  }
  const merged = mergePatch(data, changes)
  const body = { data: merged, options: { cas: metadata['version'] } }
  return at.api.secret({ method: 'PUT', path, body, doing: `Error writing data to ${path}` })
}

/** RFC 7396: null removes, an object merges, anything else replaces. */
function mergePatch(target: unknown, changes: JsonObject): JsonObject {
  const merged = new Map(Object.entries(isObject(target) ? target : {}))
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) merged.delete(key)
    else merged.set(key, isObject(value) ? mergePatch(merged.get(key), value) : value)
  }
  return Object.fromEntries(merged)
}
