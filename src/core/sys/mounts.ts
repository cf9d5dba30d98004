/** `sys/mounts`: where the secrets engines are. Enabling, reading, tuning and disabling them. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Core } from '../core.ts'
import { type MountEntry } from '../mounts.ts'
import { scopeOf } from '../turn.ts'
import { disableMount } from './mounts-disable.ts'
import { enableFields, enableMount } from './mounts-enable.ts'
import { mountInfo } from './mount-info.ts'
import { readTuning, tuneFields, writeTuning } from './mount-tune.ts'
import {
  listedPath,
  type MountClass,
  requirePlainPath,
  tablePath,
  tunedPath,
} from './mounts-path.ts'

/** One path can be that of a mount or, ending in `/tune`, of its tuning. */
export const mountFields = { ...tuneFields, ...enableFields }

export function mountsEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('mounts', {
      help: 'All mounts of secrets engines.',
      fields: {},
      injected: true,
      read: (call) => listMounts(call as never, core, 'secret'),
    }),
    endpoint('mounts/:path*', {
      help: 'A mount of a secrets engine: enables, shows and disables it.',
      fields: mountFields,
      injected: true,
      read(call) {
        const tuned = tunedPath(call.data.path)
        if (tuned !== undefined) return readTuning(call as never, core, tablePath(tuned, 'secret'))
        return readMount(call, core, 'secret')
      },
      write(call) {
        const tuned = tunedPath(call.data.path)
        if (tuned !== undefined) return writeTuning(call, core, tablePath(tuned, 'secret'))
        return enableMount(call, core, 'secret')
      },
      delete(call) {
        refuseTuning(call.data.path)
        return disableMount(call, core, 'secret')
      },
    }),
  ]
}

export async function listMounts(
  call: Call<never>,
  core: Core,
  kind: MountClass,
): Promise<Record<string, unknown>> {
  const { mounts } = await core.mounts.table(scopeOf(call))
  return byListedPath(mounts, kind, mountInfo)
}

/** One object for all mounts of a class, sorted. */
export function byListedPath(
  mounts: readonly MountEntry[],
  kind: MountClass,
  info: (entry: MountEntry) => Record<string, unknown>,
): Record<string, unknown> {
  const own = mounts.filter((entry) => entry.class === kind)
  const sorted = own.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  return Object.fromEntries(sorted.map((entry) => [listedPath(entry), info(entry)]))
}

export async function readMount(
  call: Call<{ path: string }>,
  core: Core,
  kind: MountClass,
): Promise<Record<string, unknown>> {
  requirePlainPath(call as never)
  const path = tablePath(call.data.path, kind)
  const { mounts } = await core.mounts.table(scopeOf(call as never))
  const entry = mounts.find((mount) => mount.path === path && mount.class === kind)
  if (entry) return mountInfo(entry)
  const what = kind === 'auth' ? 'auth engine' : 'secret engine mount'
  return refuse(`No ${what} at ${listedPath({ class: kind, path })}`)
}

/** A setting cannot be deleted, and `kv/tune` must not be taken for a mount of that name. */
export function refuseTuning(path: string): void {
  if (tunedPath(path) === undefined) return
  throw new Failure('unsupported_operation', undefined, { wrapped: true })
}
