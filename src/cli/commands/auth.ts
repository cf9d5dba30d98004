/** `auth`: by which methods people and machines log in. */
import { type JsonObject, isObject } from '../../lib/json.ts'
import { CliError } from '../cli-error.ts'
import { defineCommand, flag } from '../command.ts'
import { trimSlashes, withSlash } from '../paths.ts'
import { METHODS } from './login-methods.ts'
import {
  cell,
  detailedHeads,
  detailedRow,
  enableBody,
  enableFlags,
  moveMount,
  showMounts,
  tuneBody,
  tuneFlags,
} from './mounts.ts'
import { sendTune } from './secrets.ts'

const pathArg = { name: 'path', help: 'Path of the mount, without auth/.' } as const
const tokenType = flag.string(
  'Kind of tokens it gives: default-service, default-batch, service or batch.',
)
const ATTEMPT = 'a failed log-in'

const list = defineCommand({
  path: ['auth', 'list'],
  summary: 'Lists the mounted auth methods',
  examples: [
    { does: 'All of them', line: 'coffer auth list' },
    { does: 'With how they are tuned', line: 'coffer auth list -detailed' },
  ],
  async run(at) {
    const doing = 'Error listing enabled authentications'
    const secret = await at.api.secret({ method: 'GET', path: 'sys/auth', doing, strict: true })
    const mounts = secret?.data ?? {}
    if (!at.settings.detailed) {
      const keys = ['type', 'accessor', 'description', 'plugin_version']
      const row = (path: string, mount: JsonObject) => [
        path,
        ...keys.map((key) => cell(mount, key)),
      ]
      const heads = ['Path', 'Type', 'Accessor', 'Description', 'Version']
      return showMounts(at, mounts, { heads, row })
    }
    showMounts(at, mounts, {
      heads: detailedHeads('Token Type'),
      row: (path, mount) => {
        const config = isObject(mount['config']) ? mount['config'] : {}
        return detailedRow(path, mount, cell(config, 'token_type'))
      },
    })
  },
})

const enable = defineCommand({
  path: ['auth', 'enable'],
  summary: 'Mounts an auth method',
  help: 'Mounts an auth method below auth/, its type being the path unless -path says another.',
  examples: [
    { does: 'For machines', line: 'coffer auth enable approle' },
    { does: 'A second one for people', line: 'coffer auth enable -path=staff userpass' },
  ],
  args: [{ name: 'type', help: 'Type of the method: approle, userpass, jwt, …' }],
  flags: { ...enableFlags, 'token-type': tokenType },
  async run(at) {
    const type = at.args[0]!.trim()
    const named = type === 'plugin' ? (at.flags['plugin-name'] ?? type) : type
    const mount = withSlash(at.flags.path ?? named)
    const path = `sys/auth/${trimSlashes(mount)}`
    const doing = `Error enabling ${named} auth`
    await at.api.call({ method: 'POST', path, body: enableBody(named, at), doing })
    const what = type === 'plugin' ? `${named} plugin` : `${type} auth method`
    at.out.line(`Success! Enabled ${what} at: ${mount}`)
  },
})

const disable = defineCommand({
  path: ['auth', 'disable'],
  summary: 'Unmounts an auth method: every token it gave is revoked',
  examples: [{ does: 'The one at auth/userpass/', line: 'coffer auth disable userpass' }],
  args: [pathArg],
  async run({ args, api, out }) {
    const mount = withSlash(args[0]!)
    const doing = `Error disabling auth method at ${mount}`
    await api.call({ method: 'DELETE', path: `sys/auth/${trimSlashes(mount)}`, doing })
    out.line(`Success! Disabled the auth method (if it existed) at: ${mount}`)
  },
})

const tune = defineCommand({
  path: ['auth', 'tune'],
  summary: 'Changes how an auth mount behaves; what is not named stays',
  examples: [{ does: 'Shorter tokens', line: 'coffer auth tune -default-lease-ttl=1h approle' }],
  args: [pathArg],
  flags: {
    ...tuneFlags,
    'token-type': tokenType,
    'user-lockout-threshold': flag.int(`How often ${ATTEMPT} is allowed before the lock.`),
    'user-lockout-duration': flag.duration('How long a user is locked out.'),
    'user-lockout-counter-reset-duration': flag.duration(`After how long ${ATTEMPT} is forgotten.`),
    'user-lockout-disable': flag.bool('Never lock anybody out.'),
  },
  async run(at) {
    const mount = withSlash(at.args[0]!)
    const body = tuneBody(at)
    const lockout: JsonObject = {}
    const { flags, given } = at
    if (given.has('user-lockout-threshold')) {
      lockout['lockout_threshold'] = `${flags['user-lockout-threshold']}`
    }
    if (given.has('user-lockout-duration')) {
      lockout['lockout_duration'] = `${flags['user-lockout-duration']}s`
    }
    if (given.has('user-lockout-counter-reset-duration')) {
      lockout['lockout_counter_reset'] = `${flags['user-lockout-counter-reset-duration']}s`
    }
    if (given.has('user-lockout-disable'))
      lockout['lockout_disable'] = flags['user-lockout-disable']
    if (Object.keys(lockout).length > 0) body['user_lockout_config'] = lockout
    await sendTune(at, { path: `sys/mounts/auth/${mount}tune`, body, what: 'auth method', mount })
  },
})

const help = defineCommand({
  path: ['auth', 'help'],
  summary: 'Shows how to log in by a method',
  examples: [
    { does: 'A type', line: 'coffer auth help userpass' },
    { does: 'A mount', line: 'coffer auth help staff/' },
  ],
  args: [{ name: 'type-or-path', help: 'Type of a method, or the path of a mount.' }],
  async run({ args, api, out, program }) {
    const word = trimSlashes(args[0]!)
    let type = word
    if (type !== 'oidc' && METHODS[type] === undefined) {
      const doing = 'Error listing authentication methods'
      const secret = await api.secret({ method: 'GET', path: 'sys/auth', doing, strict: true })
      const mount = secret?.data?.[`${word}/`]
      if (!isObject(mount)) {
        throw new CliError(`No auth method enabled on the server at path "${word}"`, { exit: 2 })
      }
      type = cell(mount, 'type')
    }
    const method = type === 'oidc' ? (await import('./login-oidc.ts')).oidc : METHODS[type]
    if (method === undefined) {
      throw new CliError(`There is no way to log in by "${type}" from here`, {
        hint: `the API has one: ${program} path-help auth/${word}/login`,
      })
    }
    out.line(`Usage: ${program} login -method=${type} ${method.usage}\n\n  ${method.help}`)
  },
})

const move = defineCommand({
  path: ['auth', 'move'],
  summary: 'Moves an auth mount to another path; its tokens are revoked',
  examples: [{ does: 'From old/ to new/', line: 'coffer auth move old new' }],
  args: [
    { name: 'source', help: 'Where it is, without auth/.' },
    { name: 'destination', help: 'Where it shall be, without auth/.' },
  ],
  async run(at) {
    const bare = (word: string) => withSlash(word).replace(/^auth\//, '')
    const [from, to] = [bare(at.args[0]!), bare(at.args[1]!)]
    await moveMount(at, { what: 'auth method', from, to, prefix: 'auth/' })
  },
})

export const commands = [list, enable, disable, tune, help, move]
