/** The key that new records are sealed with: which one, how often used, and changing it. */
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { t } from '../../schema/field.ts'
import { StoreConflict } from '../../storage/store.ts'
import { type Tx } from '../../barrier/space.ts'
import { ROTATE_AT } from '../../barrier/usage.ts'
import { type Core } from '../core.ts'
import { turnOf, txOf } from '../turn.ts'

export function keyEndpoints(core: Core): Endpoint[] {
  return [statusEndpoint(core), rotateEndpoint(core), configEndpoint()]
}

export type RotateConfig = {
  enabled: boolean
  /** Uses of one key after which it is changed by itself. */
  max_operations: number
  /** Seconds after which it is changed by itself; 0 = never. */
  interval: number
}

const CONFIG_PATH = 'sys/rotate-config'
/** Below 2^32, where random nonces begin to be likely to meet. */
const OPERATIONS_MAX = 3_865_470_566
const OPERATIONS_MIN = 1_000_000
const INTERVAL_SECONDS_MIN = 24 * 3600

const DEFAULT: RotateConfig = { enabled: true, max_operations: OPERATIONS_MAX, interval: 0 }

export async function rotateConfig(tx: Tx): Promise<RotateConfig> {
  return (await tx.get<RotateConfig>(CONFIG_PATH)) ?? DEFAULT
}

function statusEndpoint({ keeper }: Core): Endpoint {
  return endpoint('key-status', {
    help: 'The newest key: its number, its age, and how many records it has sealed.',
    injected: true,
    fields: {},
    async read() {
      const { space } = keeper
      if (!space) throw new Failure('sealed')
      return {
        term: space.keyring.term,
        install_time: rfc3339(space.keyring.installed),
        encryptions: await space.encryptions(),
      }
    },
  })
}

function rotateEndpoint(core: Core): Endpoint {
  return endpoint('rotate', {
    help: 'Seals with a new key from now on. Old keys still open what they have sealed.',
    access: 'sudo',
    injected: true,
    fields: {},
    write(call) {
      turnOf(call as never).afterCommit.push(() => rotate(core))
      return undefined
    },
  })
}

/** Rotates when the settings ask for it now. For a timer; any number of nodes may call it. */
export async function rotateWhenDue(core: Core): Promise<boolean> {
  const tx = await core.begin(false)
  const { space } = core.keeper
  if (!tx || !space) return false
  const { enabled, max_operations, interval } = await rotateConfig(tx)
  if (!enabled) return false
  const age = (core.clock.now() - space.keyring.installed) / 1000
  const old = interval > 0 && age >= interval
  // What the settings allow at most is more than a careful reader of the standard would use.
  const worn = (await space.encryptions()) >= Math.min(max_operations, ROTATE_AT)
  if (!old && !worn) return false
  await rotate(core)
  return true
}

/** Two who rotate at once get one new key each, one after the other. */
async function rotate(core: Core): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      await core.keeper.rotate()
      // So that this process seals with it from its very next request on.
      await core.begin(false)
      return
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
      await core.begin(false)
    }
  }
  throw new Failure('conflict')
}

function configEndpoint(): Endpoint {
  return endpoint('rotate/config', {
    help: 'When the key is changed without being asked.',
    fields: {
      enabled: t.bool({ help: 'Whether it ever is.', clear: true }),
      max_operations: t.int({ help: 'After this many uses.', clear: true }),
      interval: t.duration({ help: 'After this time; 0 = never.', clear: true }),
    },
    read: async (call) => ({ ...(await rotateConfig(txOf(call as never))) }),
    async write(call) {
      const tx = txOf(call as never)
      const stored = await rotateConfig(tx)
      const next: RotateConfig = {
        enabled: call.data.enabled ?? stored.enabled,
        max_operations: call.data.max_operations ?? stored.max_operations,
        interval: call.data.interval ?? stored.interval,
      }
      if (next.max_operations < OPERATIONS_MIN || next.max_operations > OPERATIONS_MAX) {
        refuse(`max_operations must be in the range [${OPERATIONS_MIN}, ${OPERATIONS_MAX}]`)
      }
      if (next.interval !== 0 && next.interval < INTERVAL_SECONDS_MIN) {
        refuse('interval must be 0, or 24 hours at least')
      }
      tx.put(CONFIG_PATH, next)
      return undefined
    },
  })
}
