/** Tuning: the settings of a mount, read as they are in force and changed without moving it. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { type Parsed, t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { type MountEntry } from '../mounts.ts'
import { scopeOf } from '../turn.ts'
import { startUpgrade } from '../upgrades.ts'
import { tuneInfo } from './mount-info.ts'
import { changeConfig, configFields, optionalText } from './mount-tune-fields.ts'
import { type MountClass, requirePlainPath, tablePath } from './mounts-path.ts'

export const tuneFields = {
  path: t.rest({ help: 'Where the engine is mounted, slashes included.' }),
  description: optionalText({ help: 'What it is for, for people.' }),
  options: t.pairs({ help: 'Options of the engine; one given empty is taken away.' }),
  ...configFields,
}

type Tune = Parsed<typeof tuneFields>

/** `mounts/kv/tune` and the like; paths of several segments come by way of the mount endpoints. */
export function mountTuneEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('mounts/:path/tune', {
      help: 'The settings of a mount.',
      fields: tuneFields,
      injected: true,
      read: (call) => readTuning(call as never, core, tablePath(call.data.path, 'secret')),
      write: (call) => writeTuning(call, core, tablePath(call.data.path, 'secret')),
    }),
    endpoint('auth/:path/tune', {
      help: 'The settings of an auth mount.',
      access: 'sudo',
      fields: tuneFields,
      injected: true,
      read: (call) => readTuning(call as never, core, tablePath(call.data.path, 'auth')),
      write: (call) => writeTuning(call, core, tablePath(call.data.path, 'auth')),
    }),
  ]
}

export async function readTuning(
  call: Call<never>,
  core: Core,
  path: string,
): Promise<Record<string, unknown>> {
  requirePlainPath(call)
  const mount = await core.mounts.at(scopeOf(call), path)
  if (!mount) return refuse(`cannot fetch sysview for path "${path}"`)
  return tuneInfo(mount)
}

export async function writeTuning(call: Call<Tune>, core: Core, path: string): Promise<undefined> {
  const { data, given } = call
  const scope = scopeOf(call as never)
  const { mounts } = await core.mounts.table(scope)
  const entry = mounts.find((mount) => mount.path === path)
  if (!entry) return refuse(`tune of path "${path}" failed: no mount entry found`)
  const changed = [...given].filter((name) => Object.hasOwn(tuneFields, name) && name !== 'path')
  refuseUntunable(entry, changed)
  const config = changeConfig(entry.config, data, entry)
  const { default_lease_ttl: first, max_lease_ttl: max } = config
  if (max > 0 && first > max) {
    refuse(
      `backend max lease TTL of ${max} would be less than backend default lease TTL of ${first}`,
    )
  }
  const next: MountEntry = {
    ...entry,
    config,
    options: changeOptions(core, entry, data.options),
    description: given.has('description') ? (data.description ?? '') : entry.description,
  }
  core.mounts.save(
    scope,
    mounts.map((mount) => (mount === entry ? next : mount)),
  )
  if (versionOf(next) !== versionOf(entry)) {
    startUpgrade(call as never, core, next)
    call.warn(
      `Upgrading mount from version ${versionOf(entry)} to version ${versionOf(next)}. This mount` +
        ' will be unavailable for a brief period and will resume service shortly.',
    )
  }
  return undefined
}

/** What the server itself relies on stays as it is. */
function refuseUntunable({ type, path }: MountEntry, changed: readonly string[]): void {
  if (type === 'system' && changed.length > 0) {
    refuse(`cannot tune parameter ${changed.toSorted()[0]} of ${path}`)
  }
  if (type === 'cubbyhole' || type === 'identity') refuse(`cannot tune "${path}"`)
}

function changeOptions(
  core: Core,
  entry: MountEntry,
  given: Readonly<Record<string, string>> | undefined,
): MountEntry['options'] {
  if (given === undefined || Object.keys(given).length === 0) return entry.options
  const next: Record<string, string> = { ...entry.options }
  for (const [name, value] of Object.entries(given)) {
    if (value === '') delete next[name]
    else next[name] = value
  }
  checkVersionChange(core, entry, next['version'])
  return next
}

const versionOf = (entry: MountEntry) => entry.options?.['version'] ?? '1'

function checkVersionChange(core: Core, entry: MountEntry, after: string | undefined): void {
  const kind: MountClass = entry.class
  const same = core.engines.filter((each) => each.type === entry.type && each.class === kind)
  const versions = same.flatMap((engine) => engine.version ?? [])
  if (versions.length === 0) {
    if (after === undefined || after === entry.options?.['version']) return
    const what = kind === 'auth' ? 'auth method' : 'secrets engine'
    refuse(`${what} "${entry.type}" does not allow setting a version`)
  }
  const from = versionOf(entry)
  const to = after ?? '1'
  if (to === from) return
  if (!versions.includes(to)) {
    refuse(`invalid version of secrets engine "${entry.type}": expected ${versions.join(' or ')}`)
  }
  if (Number(to) < Number(from)) refuse(`cannot downgrade mount from version ${from}`)
  if (same.find((engine) => engine.version === to)?.upgrade?.from === from) return
  refuse(
    `upgrading a mount from version ${from} to version ${to} is not supported: ` +
      `mount a ${entry.type}-v${to} engine at another path and copy the secrets`,
  )
}
