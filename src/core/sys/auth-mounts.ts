/** `sys/auth`: where the auth methods are. As `sys/mounts`, behind the sudo capability. */
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { type Core } from '../core.ts'
import { readTuning, writeTuning } from './mount-tune.ts'
import { disableMount } from './mounts-disable.ts'
import { enableMount } from './mounts-enable.ts'
import { tablePath, tunedPath } from './mounts-path.ts'
import { listMounts, mountFields, readMount, refuseTuning } from './mounts.ts'

export function authMountsEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('auth', {
      help: 'All mounts of auth methods.',
      fields: {},
      injected: true,
      read: (call) => listMounts(call as never, core, 'auth'),
    }),
    endpoint('auth/:path*', {
      help: 'A mount of an auth method: enables, shows and disables it.',
      access: 'sudo',
      fields: mountFields,
      injected: true,
      read(call) {
        const tuned = tunedPath(call.data.path)
        if (tuned !== undefined) return readTuning(call as never, core, tablePath(tuned, 'auth'))
        return readMount(call, core, 'auth')
      },
      write(call) {
        const tuned = tunedPath(call.data.path)
        if (tuned !== undefined) return writeTuning(call, core, tablePath(tuned, 'auth'))
        return enableMount(call, core, 'auth')
      },
      delete(call) {
        refuseTuning(call.data.path)
        return disableMount(call, core, 'auth')
      },
    }),
  ]
}
