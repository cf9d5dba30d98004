/**
 * `sys/plugins`: every engine is part of this build, so the catalog only tells of those. Nothing can
 * be registered or taken away: a program that an operator drops into a folder, and the server then
 * runs with its secrets, is not wanted here.
 */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { reply } from '../../kit/reply.ts'
import { uuid } from '../../lib/random.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { scopeOf } from '../turn.ts'
import { RUNNING_VERSION } from './mount-info.ts'

const TYPES = ['auth', 'database', 'secret'] as const
type PluginType = (typeof TYPES)[number]

/** Part of every server, and not to be mounted by anyone. */
const OWN = new Set(['system', 'token', 'identity', 'cubbyhole'])

const NO_DIRECTORY = 'could not set plugin, plugin directory is not configured'

export function pluginEndpoints(core: Core): Endpoint[] {
  return [
    ...catalogEndpoints(core),
    ...reloadEndpoints(core),
    ...pinEndpoints(),
    ...runtimeEndpoints(),
  ]
}

/** Names of the engines of one kind; of databases, what the engines stand in for. */
function namesOf(core: Core, type: PluginType): string[] {
  if (type === 'database') return core.engines.flatMap(({ databases }) => databases ?? []).sort()
  const own = core.engines.filter((engine) => engine.class === type && !OWN.has(engine.type))
  return [...new Set(own.map((engine) => engine.type))].sort()
}

function pluginType(given: string): PluginType {
  const type = TYPES.find((each) => each === given)
  return type ?? refuse(`"${given}" is not a supported plugin type`)
}

const about = (type: PluginType, name: string) => ({
  name,
  type,
  version: RUNNING_VERSION,
  builtin: true,
  deprecation_status: 'supported',
})

const registration = {
  sha256: t.string({ help: 'The sum of a program.', default: '' }),
  sha_256: t.string({ help: 'As sha256.', default: '' }),
  command: t.string({ help: 'What would be run.', default: '' }),
  args: t.list({ help: 'Its arguments.', default: [] }),
  env: t.list({ help: 'Its environment.', default: [], sensitive: true }),
  version: t.string({ help: 'The version of a plugin.', default: '', clear: true }),
  oci_image: t.string({ help: 'An image to run instead.', default: '' }),
  runtime: t.string({ help: 'What would run the image.', default: '' }),
  download: t.bool({ help: 'Whether to fetch it.', default: false }),
}

type Registration = { sha256: string; sha_256: string; command: string; oci_image: string }

function refuseRegistration({ data }: Call<Registration>): never {
  if (data.sha256 === '' && data.sha_256 === '') refuse('missing SHA-256 value')
  if (data.command === '' && data.oci_image === '') {
    refuse('must provide at least one of command or oci_image')
  }
  return refuse(NO_DIRECTORY)
}

function catalogEndpoints(core: Core): Endpoint[] {
  const name = t.segment({ help: 'The name of an engine.' })
  const type = t.segment({ help: `One of ${TYPES.join(', ')}.` })
  const show = (kind: PluginType, wanted: string) =>
    namesOf(core, kind).includes(wanted)
      ? { ...about(kind, wanted), args: [], command: '', sha256: '' }
      : undefined
  return [
    endpoint('plugins/catalog', {
      help: 'All engines of this build.',
      fields: {},
      read: () => ({
        detailed: TYPES.flatMap((kind) => namesOf(core, kind).map((each) => about(kind, each))),
        ...Object.fromEntries(TYPES.map((kind) => [kind, namesOf(core, kind)])),
      }),
    }),
    endpoint('plugins/catalog/:name', {
      help: 'One engine, or with LIST the engines of a type; the older form, without a type.',
      access: 'sudo',
      fields: { name, ...registration },
      list: ({ data }) => ({ keys: namesOf(core, pluginType(data.name)) }),
      read: ({ data }) => TYPES.map((kind) => show(kind, data.name)).find((found) => found),
      write: refuseRegistration,
      delete: () => refuse(NO_DIRECTORY),
    }),
    endpoint('plugins/catalog/:type/:name', {
      help: 'One engine of this build. None can be added or taken away.',
      access: 'sudo',
      fields: { type, name, ...registration },
      read: ({ data }) => show(pluginType(data.type), data.name),
      write(call) {
        pluginType(call.data.type)
        return refuseRegistration(call)
      },
      delete({ data }) {
        pluginType(data.type)
        return refuse(NO_DIRECTORY)
      },
    }),
  ]
}

/** There is nothing to load again; who asks learns whether what they named is there. */
function reloadEndpoints(core: Core): Endpoint[] {
  const scope = t.string({ help: 'global, or nothing for this node.', default: '', clear: true })
  const done = (call: Call<unknown>, how: string) => {
    const data = { reload_id: uuid(call.random) }
    if (how === '') return data
    if (how !== 'global') refuse('scope must be empty or "global"')
    return reply({ status: 202, data })
  }
  return [
    endpoint('plugins/reload/backend', {
      help: 'Accepted for mounts and engines that are there; they need no loading.',
      fields: {
        plugin: t.string({ help: 'The name of an engine.', default: '', clear: true }),
        mounts: t.list({ help: 'Paths of mounts.', default: [], clear: true }),
        scope,
      },
      async write(call) {
        const { plugin, mounts } = call.data
        if (plugin === '' && mounts.length === 0) refuse('one of plugin or mounts must be provided')
        if (plugin !== '' && mounts.length > 0) {
          refuse('plugin and mounts cannot be set at the same time')
        }
        const { mounts: all } = await core.mounts.table(scopeOf(call as never))
        const paths = all.map(({ path }) => path)
        for (const mount of mounts) {
          const path = `${mount.replace(/^\/+|\/+$/g, '')}/`
          if (!paths.includes(path)) refuse(`cannot fetch mount entry for "${path}"`)
        }
        return done(call, call.data.scope)
      },
    }),
    endpoint('plugins/reload/backend/status', {
      help: 'How far a reload has come; Vault Enterprise only.',
      fields: { reload_id: t.string({ help: 'As it was returned.', clear: true }) },
      read() {
        throw new Failure('unsupported_path', undefined, { wrapped: true })
      },
    }),
    endpoint('plugins/reload/:type/:name', {
      help: 'Accepted for engines that are there; they need no loading.',
      fields: {
        type: t.segment({ help: 'auth, database, secret or unknown.' }),
        name: t.segment({ help: 'The name of an engine.' }),
        scope,
      },
      write(call) {
        const { type, name } = call.data
        const kinds = type === 'unknown' ? TYPES : [pluginType(type)]
        const there = kinds.some((kind) => namesOf(core, kind).includes(name))
        return there
          ? done(call, call.data.scope)
          : refuse(`no plugin named "${name}" of this type`)
      },
    }),
  ]
}

/** A pin chooses among versions of which there is one. */
function pinEndpoints(): Endpoint[] {
  const fields = {
    type: t.segment({ help: `One of ${TYPES.join(', ')}.` }),
    name: t.segment({ help: 'The name of an engine.' }),
    version: t.string({ help: 'The version that would run.', default: '', clear: true }),
  }
  return [
    endpoint('plugins/pins', {
      help: 'Versions that were pinned: none.',
      fields: {},
      read: () => ({ pinned_versions: [] }),
    }),
    endpoint('plugins/pins/:type/:name', {
      help: 'There is one version of each engine, so nothing can be pinned.',
      access: 'sudo',
      fields,
      read: () => undefined,
      write: ({ data }) => refuse(`${data.name}: there is only version ${RUNNING_VERSION}`),
      delete: () => undefined,
    }),
  ]
}

/** Programs in containers are programs too. */
function runtimeEndpoints(): Endpoint[] {
  return [
    endpoint('plugins/runtimes/catalog', {
      help: 'Runtimes for plugins: none.',
      access: 'sudo',
      fields: { type: t.string({ help: 'container.', default: '', clear: true }) },
      list: () => ({ runtimes: [] }),
    }),
    endpoint('plugins/runtimes/catalog/:type/:name', {
      help: 'This server runs no plugins, so it needs no runtime for them.',
      access: 'sudo',
      fields: {
        type: t.segment({ help: 'container.' }),
        name: t.segment({ help: 'The name of a runtime.' }),
        oci_runtime: t.string({ help: 'Not used.' }),
        cgroup_parent: t.string({ help: 'Not used.' }),
        cpu_nanos: t.int({ help: 'Not used.' }),
        memory_bytes: t.int({ help: 'Not used.' }),
        rootless: t.bool({ help: 'Not used.' }),
      },
      read: () => undefined,
      write: () => refuse('this build runs no plugins'),
      delete: () => undefined,
    }),
  ]
}
