/** `secrets`: which engines are mounted where, and how. */
import { isObject } from '../../lib/json.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { withSlash } from '../paths.ts'
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

const pathArg = { name: 'path', help: 'Path of the mount.' } as const

const list = defineCommand({
  path: ['secrets', 'list'],
  summary: 'Lists the mounted secrets engines',
  examples: [
    { does: 'All of them', line: 'coffer secrets list' },
    { does: 'With how they are tuned', line: 'coffer secrets list -detailed' },
  ],
  async run(at) {
    const doing = 'Error listing secrets engines'
    const secret = await at.api.secret({ method: 'GET', path: 'sys/mounts', doing, strict: true })
    const mounts = secret?.data ?? {}
    if (!at.settings.detailed) {
      const keys = ['type', 'accessor', 'description']
      const row = (path: string, mount: Parameters<typeof cell>[0]) => [
        path,
        ...keys.map((key) => cell(mount, key)),
      ]
      return showMounts(at, mounts, { heads: ['Path', 'Type', 'Accessor', 'Description'], row })
    }
    showMounts(at, mounts, {
      heads: detailedHeads('Force No Cache'),
      row: (path, mount) => {
        const config = isObject(mount['config']) ? mount['config'] : {}
        return detailedRow(path, mount, String(config['force_no_cache'] === true))
      },
    })
  },
})

const enable = defineCommand({
  path: ['secrets', 'enable'],
  summary: 'Mounts a secrets engine',
  help: 'Mounts a secrets engine at a path, its type being the path unless -path says another.',
  examples: [
    { does: 'Key-value secrets with versions', line: 'coffer secrets enable -path=secret kv-v2' },
    { does: 'Encryption as a service', line: 'coffer secrets enable transit' },
    { does: 'Leases of an hour', line: 'coffer secrets enable -max-lease-ttl=1h database' },
  ],
  args: [{ name: 'type', help: 'Type of the engine: kv, transit, database, …' }],
  flags: {
    ...enableFlags,
    version: flag.int('Version of the engine, where it has several: 1 or 2 for kv.'),
    'allowed-managed-keys': flag.list('Managed key the engine may use.', { hidden: true }),
    'identity-token-key': flag.string('Key that signs its identity tokens.', { hidden: true }),
    'delegated-auth-accessors': flag.list('Auth mount it may log in to.', { hidden: true }),
  },
  async run(at) {
    const type = at.args[0]!.trim()
    const named = type === 'plugin' ? (at.flags['plugin-name'] ?? type) : type
    const mount = withSlash(at.flags.path ?? named)
    const body = enableBody(named, at)
    const { version } = at.flags
    if (version !== undefined) {
      body['options'] = { ...at.flags.options, version: `${version}` }
    }
    const doing = 'Error enabling'
    await at.api.call({ method: 'POST', path: `sys/mounts/${trimmed(mount)}`, body, doing })
    const what = type === 'plugin' ? `${named} plugin` : `${type} secrets engine`
    at.out.line(`Success! Enabled the ${what} at: ${mount}`)
  },
})

const trimmed = (mount: string) => mount.replace(/\/$/, '')

const disable = defineCommand({
  path: ['secrets', 'disable'],
  summary: 'Unmounts a secrets engine: its data is deleted, its leases are revoked',
  examples: [{ does: 'The one at kv/', line: 'coffer secrets disable kv' }],
  args: [pathArg],
  async run({ args, api, out }) {
    const mount = withSlash(args[0]!)
    const doing = `Error disabling secrets engine at ${mount}`
    await api.call({ method: 'DELETE', path: `sys/mounts/${trimmed(mount)}`, doing })
    out.line(`Success! Disabled the secrets engine (if it existed) at: ${mount}`)
  },
})

const tune = defineCommand({
  path: ['secrets', 'tune'],
  summary: 'Changes how a mount behaves; what is not named stays',
  examples: [
    { does: 'Longer leases', line: 'coffer secrets tune -default-lease-ttl=72h database' },
  ],
  args: [pathArg],
  flags: {
    ...tuneFlags,
    version: flag.int('Version of the engine: 2 makes a kv mount keep versions.'),
    'allowed-managed-keys': flag.list('Managed key the engine may use.', { hidden: true }),
  },
  async run(at) {
    const mount = withSlash(at.args[0]!)
    const body = tuneBody(at)
    const { version } = at.flags
    if (version !== undefined) body['options'] = { ...at.flags.options, version: `${version}` }
    await sendTune(at, { path: `sys/mounts/${mount}tune`, body, what: 'secrets engine', mount })
  },
})

type Tuned = {
  readonly path: string
  readonly body: object
  readonly what: string
  readonly mount: string
}

export async function sendTune(
  at: Pick<Context, 'api' | 'out'>,
  { path, body, what, mount }: Tuned,
): Promise<void> {
  const doing = `Error tuning ${what} ${mount}`
  const secret = await at.api.secret({ method: 'POST', path, body, doing })
  for (const warning of secret?.warnings ?? []) at.out.warn(`WARNING! ${warning}`)
  at.out.line(`Success! Tuned the ${what} at: ${mount}`)
}

const move = defineCommand({
  path: ['secrets', 'move'],
  summary: 'Moves a mount to another path; its leases are revoked',
  examples: [{ does: 'From old/ to new/', line: 'coffer secrets move old new' }],
  args: [
    { name: 'source', help: 'Where it is.' },
    { name: 'destination', help: 'Where it shall be.' },
  ],
  async run(at) {
    const [from, to] = [withSlash(at.args[0]!), withSlash(at.args[1]!)]
    await moveMount(at, { what: 'secrets engine', from, to, prefix: '' })
  },
})

export const commands = [list, enable, disable, tune, move]
