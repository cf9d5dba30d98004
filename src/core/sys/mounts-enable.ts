/** Enables an engine at a path: what type it is, what it is told, and that the path is free. */
import { type Call } from '../../kit/call.ts'
import { refuse } from '../../kit/failure.ts'
import { parseBool, type Parsed, t } from '../../schema/field.ts'
import { newMountEntry, NO_TUNING } from '../bootstrap.ts'
import { namespacePaths } from './namespaces-below.ts'
import { type Core } from '../core.ts'
import { type MountConfig } from '../mounts.ts'
import { scopeOf } from '../turn.ts'
import { changeConfig, optionalText, readConfig } from './mount-tune-fields.ts'
import { checkNewPath, isSingleType, type MountClass, tablePath } from './mounts-path.ts'

export const enableFields = {
  path: t.rest({ help: 'Where the engine is mounted, slashes included.' }),
  type: optionalText({ help: 'The type of the engine, such as kv or kv-v2.', clear: true }),
  description: optionalText({ help: 'What it is for, for people.' }),
  config: t.map({ help: 'Its settings, as tuning takes them.' }),
  options: t.pairs({ help: 'Options of the engine, such as version for kv.' }),
  local: t.bool({ help: 'Kept and shown; there is no replication.', default: false }),
  seal_wrap: t.bool({ help: 'Kept and shown; everything is sealed alike.', default: false }),
  external_entropy_access: t.bool({ help: 'Kept and shown.', default: false }),
  plugin_name: optionalText({ help: 'The type, where `type` is plugin.' }),
  plugin_version: optionalText({ help: 'There is one version of each engine.' }),
}

type Enable = Parsed<typeof enableFields>

/** `generic` is what KV was called before it had versions. */
const KV_ALIASES: Readonly<Record<string, string>> = { 'kv-v1': '1', 'kv-v2': '2', generic: '1' }

export async function enableMount(
  call: Call<Enable>,
  core: Core,
  kind: MountClass,
): Promise<undefined> {
  const { data } = call
  const scope = scopeOf(call as never)
  const path = tablePath(data.path, kind)
  const { type, options } = typeOf(data)
  const config = configOf(data, { class: kind, type }, core.mounts.ttl.maxSeconds)
  const { mounts } = await core.mounts.table(scope)
  if (isSingleType(type)) refuse(`mount type of "${type}" is not mountable`)
  const taken = [...mounts, ...(await namespacePaths(call as never))]
  checkNewPath(path, kind, { others: taken, verb: 'mount' })
  checkEngine(core, kind, { type, version: options?.['version'] })
  const { description = '', local, seal_wrap, external_entropy_access } = data
  const entry = newMountEntry(
    {
      path,
      class: kind,
      type,
      description,
      options,
      config,
      local,
      seal_wrap,
      external_entropy_access,
    },
    core.random,
  )
  core.mounts.save(scope, [...mounts, entry])
  return undefined
}

function typeOf(data: Enable): { type: string; options: Record<string, string> | null } {
  const older = data.config?.['plugin_name']
  const named = data.plugin_name || (typeof older === 'string' ? older : '')
  const type = data.type === 'plugin' ? named : data.type || named
  if (type === '') refuse('backend type must be specified as a string')
  const given = { ...data.options }
  const version = Object.hasOwn(KV_ALIASES, type) ? KV_ALIASES[type] : undefined
  if (version !== undefined) return { type: 'kv', options: { ...given, version } }
  return { type, options: Object.keys(given).length > 0 ? given : null }
}

function configOf(
  data: Enable,
  mount: { class: MountClass; type: string },
  systemMaxSeconds: number,
): MountConfig {
  const given = readConfig(data.config ?? {})
  if (data.plugin_version) given.plugin_version = data.plugin_version
  const config = changeConfig(NO_TUNING, given, mount)
  config.force_no_cache = noCache(data.config?.['force_no_cache'])
  const { default_lease_ttl: first, max_lease_ttl: max } = config
  if (max > 0 && first > max) refuse('given default lease TTL greater than given max lease TTL')
  if (max === 0 && first > systemMaxSeconds) {
    refuse(`given default lease TTL greater than system max lease TTL of ${systemMaxSeconds}`)
  }
  return config
}

function noCache(given: unknown): boolean {
  try {
    return given === undefined ? false : parseBool(given)
  } catch {
    return refuse('invalid value in config for "force_no_cache": expected true or false')
  }
}

/** Whether this build has the engine, in this version. */
function checkEngine(
  core: Core,
  kind: MountClass,
  wanted: { type: string; version: string | undefined },
): void {
  const { type, version } = wanted
  const same = core.engines.filter((engine) => engine.type === type && engine.class === kind)
  if (same.length === 0) refuse(`plugin not found in the catalog: ${type}`)
  if (version === undefined) return
  const versions = same.flatMap((engine) => engine.version ?? [])
  const what = kind === 'auth' ? 'auth method' : 'secrets engine'
  if (versions.length === 0) refuse(`${what} "${type}" does not allow setting a version`)
  if (!versions.includes(version)) {
    refuse(`invalid version of ${what} "${type}": expected ${versions.join(' or ')}`)
  }
}
