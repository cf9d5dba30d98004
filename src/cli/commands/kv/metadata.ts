/** `kv metadata`: what a secret of version 2 carries beside its data. */
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { CliError } from '../../cli-error.ts'
import { defineCommand, flag } from '../../command.ts'
import { showSecret, showSection } from '../../output/secret.ts'
import { showPath } from './data.ts'
import { keyArg, locate, mountFlag, needsVersion2 } from './place.ts'

const NOT_V1 = 'Metadata not supported on KV Version 1'

const settable = {
  'cas-required': flag.bool('Every write must then say which version it replaces.'),
  'max-versions': flag.int('How many versions to keep.'),
  'delete-version-after': flag.duration('Versions are deleted this long after they were written.'),
  'custom-metadata': flag.map('A note of your own, as key=value. May be given many times.'),
  mount: mountFlag,
}

type Given = {
  readonly given: ReadonlySet<string>
  readonly flags: {
    readonly 'cas-required': boolean
    readonly 'max-versions': number | undefined
    readonly 'delete-version-after': number | undefined
    readonly 'custom-metadata': Readonly<Record<string, string>>
  }
}

/** Only what was typed: what is not sent stays as it is. */
function bodyOf({ given, flags }: Given): JsonObject {
  const body: JsonObject = {}
  if (given.has('cas-required')) body['cas_required'] = flags['cas-required']
  if (given.has('max-versions')) body['max_versions'] = flags['max-versions']
  if (given.has('delete-version-after')) {
    body['delete_version_after'] = `${flags['delete-version-after']}s`
  }
  if (given.has('custom-metadata')) body['custom_metadata'] = flags['custom-metadata']
  return body
}

export const metadataGet = defineCommand({
  path: ['kv', 'metadata', 'get'],
  summary: 'Shows the settings and the versions of a secret',
  examples: [{ does: 'All there is', line: 'coffer kv metadata get -mount=secret app/db' }],
  args: [keyArg],
  flags: { mount: mountFlag },
  exits: { 2: 'nothing is there, or the server refused' },
  async run(at) {
    const place = await locate(at, at.args[0]!, at.flags.mount)
    needsVersion2(place, NOT_V1)
    const path = place.full('metadata')
    const secret = await at.api.secret({ method: 'GET', path, doing: `Error reading ${path}` })
    if (secret?.data === undefined || secret.data === null) {
      if (secret !== undefined && secret.wrapInfo !== null) return showSecret(at, secret)
      throw new CliError(`No value found at ${path}`, { exit: 2 })
    }
    if (at.settings.field !== undefined || !at.out.tabular) return showSecret(at, secret)
    const { versions, ...metadata } = secret.data
    showPath(at, 'Metadata Path', path)
    showSection(at, 'Metadata', metadata)
    if (!isObject(versions)) return
    const numbers = Object.keys(versions).sort((a, b) => Number(a) - Number(b))
    for (const number of numbers) {
      const version = versions[number]
      if (!isObject(version)) continue
      at.out.line('')
      showSection(at, `Version ${number}`, version)
    }
  },
})

export const metadataPut = defineCommand({
  path: ['kv', 'metadata', 'put'],
  summary: 'Sets the settings of a secret; notes are replaced whole',
  examples: [
    {
      does: 'Keep 5 versions',
      line: 'coffer kv metadata put -mount=secret -max-versions=5 app/db',
    },
    {
      does: 'Say whose it is',
      line: 'coffer kv metadata put -custom-metadata=owner=billing secret/app/db',
    },
  ],
  args: [keyArg],
  flags: settable,
  async run(at) {
    const place = await locate(at, at.args[0]!, at.flags.mount)
    needsVersion2(place, NOT_V1)
    const path = place.full('metadata')
    const doing = `Error writing data to ${path}`
    const secret = await at.api.secret({ method: 'PUT', path, body: bodyOf(at), doing })
    if (secret !== undefined) return showSecret(at, secret)
    if (at.out.tabular) at.out.line(`Success! Data written to: ${path}`)
  },
})

export const metadataPatch = defineCommand({
  path: ['kv', 'metadata', 'patch'],
  summary: 'Changes some settings of a secret and keeps the others',
  examples: [
    {
      does: 'One note more, one less',
      line: 'coffer kv metadata patch -custom-metadata=a=1 -max-versions=5 secret/x',
    },
  ],
  args: [keyArg],
  flags: {
    ...settable,
    'remove-custom-metadata': flag.list('Note to remove. May be given many times.'),
  },
  async run(at) {
    const place = await locate(at, at.args[0]!, at.flags.mount)
    needsVersion2(place, NOT_V1)
    const path = place.full('metadata')
    const removed = at.flags['remove-custom-metadata']
    const body = bodyOf(at)
    if (removed.length > 0) {
      const gone = removed.map((name) => [name, null] as const)
      body['custom_metadata'] = { ...at.flags['custom-metadata'], ...Object.fromEntries(gone) }
    }
    const doing = `Error writing data to ${path}`
    const secret = await at.api.secret({ method: 'PATCH', path, body, doing })
    if (secret !== undefined) return showSecret(at, secret)
    if (at.out.tabular) at.out.line(`Success! Data written to: ${path}`)
  },
})

export const metadataDelete = defineCommand({
  path: ['kv', 'metadata', 'delete'],
  summary: 'Removes a secret, its versions and its settings for good',
  examples: [{ does: 'Everything', line: 'coffer kv metadata delete -mount=secret app/db' }],
  args: [keyArg],
  flags: { mount: mountFlag },
  async run(at) {
    const place = await locate(at, at.args[0]!, at.flags.mount)
    needsVersion2(place, NOT_V1)
    const path = place.full('metadata')
    const secret = await at.api.secret({ method: 'DELETE', path, doing: `Error deleting ${path}` })
    if (secret !== undefined) return showSecret(at, secret)
    if (at.out.tabular) at.out.line(`Success! Data deleted (if it existed) at: ${path}`)
  },
})
