/** `kv list`, `delete`, `undelete`, `destroy`, `rollback` and `enable-versioning`. */
import { isObject } from '../../../lib/json.ts'
import { CliError } from '../../cli-error.ts'
import { defineCommand, flag } from '../../command.ts'
import { showKeys, showNone, showSecret } from '../../output/secret.ts'
import { withSlash } from '../../paths.ts'
import { showWritten } from './data.ts'
import { keyArg, locate, mountFlag, needsVersion2 } from './place.ts'

const versionsFlag = flag.list('Versions, comma-separated. May be given many times.', {
  value: '1,2',
})

/** `-versions=1,2 -versions=3` as the server takes them. */
function versionsOf(given: readonly string[]): string[] {
  return given.flatMap((each) => each.split(',')).map((each) => each.trim())
}

export const list = defineCommand({
  path: ['kv', 'list'],
  summary: 'Lists the secrets below a path',
  help: 'Lists names below a path. A name that ends in a slash has names of its own below it.',
  examples: [
    { does: 'The whole mount', line: 'coffer kv list -mount=secret' },
    { does: 'A folder', line: 'coffer kv list -mount=secret app' },
  ],
  args: [{ ...keyArg, optional: true }],
  flags: { mount: mountFlag },
  exits: { 2: 'nothing is there, or the server refused' },
  async run(at) {
    const { mount } = at.flags
    const [path = ''] = at.args
    if (path === '' && mount === undefined) {
      throw new CliError('Not enough arguments (expected 1, got 0)', {
        hint: `name a mount: ${at.program} kv list -mount=secret`,
      })
    }
    const where = (await locate(at, path, mount)).full('metadata')
    const secret = await at.api.secret({
      method: 'LIST',
      path: where,
      doing: `Error listing ${where}`,
    })
    if (secret === undefined) return showNone(at, `No value found at ${where}`)
    if (secret.wrapInfo !== null) return showSecret(at, secret)
    showKeys(at, secret)
  },
})

export const remove = defineCommand({
  path: ['kv', 'delete'],
  summary: 'Deletes versions, so that they can come back',
  help:
    'On version 2 of the engine, marks the newest or the given versions as deleted; `kv undelete` ' +
    'brings them back. On version 1 the secret is gone.',
  examples: [
    { does: 'The newest version', line: 'coffer kv delete -mount=secret app/db' },
    { does: 'Two old ones', line: 'coffer kv delete -mount=secret -versions=1,2 app/db' },
  ],
  args: [keyArg],
  flags: { versions: versionsFlag, mount: mountFlag },
  async run(at) {
    const place = await locate(at, at.args[0]!, at.flags.mount)
    const versions = versionsOf(at.flags.versions)
    const some = place.v2 && versions.length > 0
    const path = place.full('data')
    const doing = `Error deleting ${path}`
    const secret = some
      ? await at.api.secret({
          method: 'PUT',
          path: place.full('delete'),
          body: { versions },
          doing,
        })
      : await at.api.secret({ method: 'DELETE', path, doing })
    if (secret !== undefined) return showSecret(at, secret)
    if (at.out.tabular) at.out.line(`Success! Data deleted (if it existed) at: ${path}`)
  },
})

export const undelete = defineCommand({
  path: ['kv', 'undelete'],
  summary: 'Brings deleted versions back',
  examples: [{ does: 'One version', line: 'coffer kv undelete -mount=secret -versions=3 app/db' }],
  args: [keyArg],
  flags: { versions: versionsFlag, mount: mountFlag },
  async run(at) {
    const versions = versionsOf(at.flags.versions)
    if (versions.length === 0) {
      throw new CliError(
        'No versions provided, use the "-versions" flag to specify the version to undelete.',
      )
    }
    const place = await locate(at, at.args[0]!, at.flags.mount)
    needsVersion2(place, 'Undelete not supported on KV Version 1')
    const path = place.full('undelete')
    const doing = `Error writing data to ${path}`
    showWritten(at, path, await at.api.secret({ method: 'PUT', path, body: { versions }, doing }))
  },
})

export const destroy = defineCommand({
  path: ['kv', 'destroy'],
  summary: 'Removes versions for good',
  examples: [{ does: 'One version', line: 'coffer kv destroy -mount=secret -versions=3 app/db' }],
  args: [keyArg],
  flags: { versions: versionsFlag, mount: mountFlag },
  async run(at) {
    const versions = versionsOf(at.flags.versions)
    if (versions.length === 0) {
      throw new CliError(
        'No versions provided, use the "-versions" flag to specify the version to destroy.',
      )
    }
    const place = await locate(at, at.args[0]!, at.flags.mount)
    needsVersion2(place, 'Destroy not supported on KV Version 1')
    const path = place.full('destroy')
    const doing = `Error writing data to ${path}`
    showWritten(at, path, await at.api.secret({ method: 'PUT', path, body: { versions }, doing }))
  },
})

export const rollback = defineCommand({
  path: ['kv', 'rollback'],
  summary: 'Writes an older version again, as the newest',
  help:
    'Reads an older version and writes it as a new one. If somebody writes in between, nothing is ' +
    'changed. Version 2 of the engine only.',
  examples: [
    { does: 'Back to version 2', line: 'coffer kv rollback -mount=secret -version=2 app/db' },
  ],
  args: [keyArg],
  flags: { version: flag.int('The version to write again.'), mount: mountFlag },
  async run(at) {
    const { version } = at.flags
    if (version === undefined || version <= 0) {
      throw new CliError('Version flag must be specified as a positive number')
    }
    const place = await locate(at, at.args[0]!, at.flags.mount)
    needsVersion2(place, 'K/V engine mount must be version 2 for rollback support', 2)
    const path = place.full('data')
    const doing = `Error doing pre-read at ${path}`
    const ask = { method: 'GET', path, doing, aside: true } as const
    const newest = (await at.api.secret(ask))?.data?.['metadata']
    if (!isObject(newest)) throw new CliError(`No value found at ${path}`, { exit: 2 })
    const old = await at.api.secret({ ...ask, query: { version: `${version}` } })
    const data = old?.data?.['data']
    if (!isObject(data)) {
      throw new CliError(`No data found at ${path} in version ${version}`, {
        exit: 2,
        hint: 'a deleted version can come back with kv undelete; a destroyed one cannot',
      })
    }
    const body = { data, options: { cas: newest['version'] } }
    const write = { method: 'PUT', path, body, doing: `Error writing data to ${path}` } as const
    showWritten(at, path, await at.api.secret(write))
  },
})

export const enableVersioning = defineCommand({
  path: ['kv', 'enable-versioning'],
  summary: 'Makes a version 1 mount keep versions',
  examples: [{ does: 'For the mount at kv/', line: 'coffer kv enable-versioning kv' }],
  args: [{ name: 'mount', help: 'Path of the mount.' }],
  async run({ api, args, out }) {
    const mount = withSlash(args[0]!)
    const path = `sys/mounts/${mount}tune`
    const doing = `Error tuning secrets engine ${mount}`
    await api.call({ method: 'POST', path, body: { options: { version: '2' } }, doing })
    out.line(`Success! Tuned the secrets engine at: ${mount}`)
  },
})
