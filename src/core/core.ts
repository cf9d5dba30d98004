/**
 * The core, put together: it is given a store, a clock, engines and audit device types, and gives
 * back one function from request to answer. It knows no engine by name and opens no socket.
 */
import { type StaticKey } from '../barrier/seal.ts'
import { type Space, type Tx } from '../barrier/space.ts'
import { type AuditDeviceType } from '../kit/audit-device.ts'
import { type Engine } from '../kit/engine.ts'
import { Failure } from '../kit/failure.ts'
import { type Reply } from '../kit/reply.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { type Random, systemRandom, uuid } from '../lib/random.ts'
import { type Outbound, outbound } from '../lib/outbound.ts'
import { stackPlaces } from '../lib/stack-places.ts'
import { BUILD_DATE, VAULT_VERSION } from '../lib/version.ts'
import { type Awaitable, type Store, StoreConflict } from '../storage/store.ts'
import { type AuditLog, auditLog } from './audit.ts'
import { keepCheckpoint } from './audit-witness.ts'
import { addIdentityMount } from './bootstrap.ts'
import { type Expiry, expiry } from './expiry.ts'
import { oidcUpkeep } from './identity/oidc/upkeep.ts'
import { type Honey, honeyAlarm } from './honey/alarm.ts'
import { type Announcement, type Keeper, keeper } from './keeper.ts'
import { settleLeaseCounts } from './lease-counts.ts'
import { leasesOfToken, startRevoking } from './leases.ts'
import {
  compileMount,
  type EngineFinder,
  type Mount,
  type Mounts,
  mounts,
  type SystemTtl,
} from './mounts.ts'
import { type OwnEngines } from './own-engines.ts'
import { type LockoutDefaults } from './lockout.ts'
import { handle } from './pipeline.ts'
import { rotateWhenDue } from './sys/keys.ts'
import { type RotationEvent } from './rotation/advance.ts'
import { type Pace } from './rotation/pace.ts'
import { type Rotations, rotations } from './rotation/runner.ts'
import { finishEnding } from './sys/mounts-disable.ts'
import { finishEndingNamespaces } from './sys/namespaces-end.ts'
import { type Grants, grantsFinder } from './grants.ts'
import { type TokenEntry, type Tokens, tokens } from './tokens.ts'
import { putPassing } from './passing.ts'
import { type Made, type Request, type Response, type Turn } from './turn.ts'
import { emitEvent } from './watch/events.ts'
import { type Hub, watchHub, type WatchLimits } from './watch/hub.ts'
import { type Retention, RETENTION, trimEvents } from './watch/retention.ts'

export type CoreOptions = {
  store: Store
  /** Every engine this build has; core's own come first. */
  engines: readonly Engine[]
  /** `sys/`, `auth/token/` and `identity/`: see own-engines.ts. */
  ownEngines: (core: Core) => OwnEngines
  auditTypes: readonly AuditDeviceType[]
  clock?: Clock
  random?: Random
  ttl?: Partial<SystemTtl>
  staticKeys?: readonly StaticKey[]
  announce?: (message: Announcement) => Promise<void> | void
  /** A line for the operator. Names and kinds, never values. */
  log?: (level: 'info' | 'warn' | 'error', text: string) => void
  settings?: Partial<Settings>
  help?: (core: Core, turn: Turn) => Reply
  /** Told of every answer, for metrics. */
  observe?: Observe
  watch?: { limits?: WatchLimits; keep?: Retention }
  rotationPace?: Pace
  /** Told of what happens to rotations, in the transaction in which it does. */
  rotationEvent?: (tx: Tx, event: RotationEvent) => Promise<void> | void
  /** How webhooks are sent. */
  outbound?: Outbound
  /** Changes made before the first request after unsealing (declared audit devices). */
  beforeOpen?: (tx: Tx, core: Core) => Promise<void>
}

export type Observe = (turn: Turn, answer: { status: number; seconds: number }) => void

/** Facts about this server that its endpoints tell. */
export type Settings = {
  version: string
  buildDate: string
  clusterName: string
  apiAddr: string
  dev: boolean
  workers: number
  /** Of the configuration file: for mounts that are not tuned. */
  userLockout: LockoutDefaults
  /** The operator wants `sys/raw`. */
  rawStorage: boolean
}

export type Core = {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly keeper: Keeper
  readonly mounts: Mounts
  readonly tokens: Tokens
  readonly audit: AuditLog
  readonly expiry: Expiry
  /** Those who watch what happens, in this process. */
  readonly watch: Hub
  readonly rotation: Rotations
  /** Baits, and what happens when one is touched. */
  readonly honey: Honey
  readonly engines: readonly Engine[]
  readonly settings: Settings
  readonly startedAt: number
  handle(request: Request): Promise<Response>
  /** A transaction, or undefined while sealed. `shared` = from the poll phase (see Space). */
  begin(shared: boolean): Awaitable<Tx | undefined>
  commit(tx: Tx): Promise<void>
  /** Throws 403 for a token whose entity is disabled or gone. */
  grantsOf(tx: Tx, token: TokenEntry): Awaitable<Grants>
  /** `sys/`, which answers even when there is no mount table to read. */
  sysMount(path: string): Mount | undefined
  help(turn: Turn): Reply
  readonly observe: Observe | undefined
  report(error: Error, request: Request): void
  log(level: 'info' | 'warn' | 'error', text: string): void
  /** Ends what a request has made, when its answer may not be given. */
  undo(made: Made): Promise<void>
  close(): Promise<void>
}

/** 32 days, as Vault's. */
const DEFAULT_TTL_SECONDS = 2_764_800

/** Where the sys mount's entry stands; the same in every store, as it can be neither moved nor removed. */
export const SYS_MOUNT_UUID = '00000000-0000-4000-8000-000000000001'
export const SYS_ACCESSOR = 'system_00000001'

export function createCore(options: CoreOptions): Core {
  const { store, clock = systemClock, random = systemRandom } = options
  const log = options.log ?? (() => {})
  const ttl = {
    defaultSeconds: options.ttl?.defaultSeconds ?? DEFAULT_TTL_SECONDS,
    maxSeconds: options.ttl?.maxSeconds ?? DEFAULT_TTL_SECONDS,
  }
  const warn = (trouble: string) => log('error', trouble)
  const keep = keeper({
    store,
    clock,
    random,
    ...(options.staticKeys && { staticKeys: options.staticKeys }),
    ...(options.announce && { announce: options.announce }),
    opened(space) {
      space.onLogged = () => core.watch.wake()
      core.expiry.start()
      core.rotation.start()
      log('info', 'unsealed')
    },
    sealed() {
      core.expiry.stop()
      void core.watch.endAll('sealed')
      core.rotation.stop()
      core.audit.close()
      letGo()
      log('info', 'sealed')
    },
  })
  const grantsOf = grantsFinder()
  const endLeases = async (tx: Tx, uid: string) => {
    for (const lease of await leasesOfToken(tx, uid)) {
      if (!lease.revoking) startRevoking(tx, lease, clock.now())
    }
  }
  const tokenParts = tokens(random, endLeases)
  const mountParts = mounts((mount) => findEngine(engines, mount), ttl)
  /** The open space for which `beforeOpen` has run. */
  let prepared: Space | undefined
  let preparing: Promise<void> | undefined
  const prepare = (space: Space) => {
    preparing ??= prepareOnce(space).finally(() => (preparing = undefined))
    return preparing
  }
  const prepareOnce = async (space: Space) => {
    for (;;) {
      const tx = await space.begin()
      await addIdentityMount(core, tx)
      await options.beforeOpen?.(tx, core)
      try {
        if (tx.dirty) await space.commit(tx)
        break
      } catch (error) {
        // Another process of this server prepares the same.
        if (!(error instanceof StoreConflict)) throw error
      }
    }
    prepared = space
    // A disabled mount that was large, and a crash before all of it was removed.
    void finishEnding(core)
    void finishEndingNamespaces(core)
  }
  const node = uuid(random)
  const keeping = new Set<Promise<void>>()
  const core: Core = {
    clock,
    random,
    store,
    keeper: keep,
    mounts: mountParts,
    tokens: tokenParts,
    audit: auditLog({
      types: options.auditTypes,
      clock,
      random,
      report: warn,
      witness(path, checkpoint) {
        const kept = keepCheckpoint(core, path, checkpoint).finally(() => keeping.delete(kept))
        keeping.add(kept)
      },
    }),
    expiry: expiry({
      node,
      clock,
      space: () => keep.space,
      mounts: mountParts,
      tokens: tokenParts,
      random,
      report: warn,
      async upkeep() {
        await rotateWhenDue(core)
        await oidcUpkeep(core)
      },
      trim: (inTurn) =>
        trimEvents({ space: keep.space, clock, keep: options.watch?.keep ?? RETENTION, inTurn }),
    }),
    watch: watchHub(() => core, options.watch?.limits),
    honey: honeyAlarm(() => core, options.outbound ?? outbound),
    rotation: rotations({
      node,
      clock,
      random,
      space: () => keep.space,
      mounts: mountParts,
      tokens: tokenParts,
      log,
      pace: options.rotationPace,
      async emit(tx, event) {
        const { home, mount, ...told } = event
        emitEvent(tx, { mount: mount.entry, home, now: clock.now() }, told)
        await options.rotationEvent?.(tx, event)
      },
    }),
    get engines() {
      return engines
    },
    settings: {
      version: VAULT_VERSION,
      buildDate: BUILD_DATE,
      clusterName: 'coffer',
      apiAddr: '',
      dev: false,
      workers: 1,
      userLockout: {},
      rawStorage: false,
      ...options.settings,
    },
    startedAt: clock.now(),
    handle: (request) => handle(request, core),
    begin(shared) {
      const { space } = keep
      if (space && prepared !== space) return prepare(space).then(() => space.begin())
      return space && (shared ? space.beginShared() : space.begin())
    },
    async commit(tx) {
      if (!keep.space) throw new Failure('sealed')
      await settleLeaseCounts(tx)
      await keep.space.commit(tx)
    },
    grantsOf: (tx, token) => grantsOf(tx, token, clock.now()),
    sysMount: (path) => (path.startsWith('sys/') ? sysMount : undefined),
    observe: options.observe,
    help: (turn) => {
      if (!options.help) throw new Failure('unsupported_operation')
      return options.help(core, turn)
    },
    report(error, request) {
      log('error', `request ${request.id} failed: ${describe(error)}`)
    },
    log,
    undo: (made) => undo(core, made),
    async close() {
      core.expiry.stop()
      core.honey.close()
      await core.watch.close()
      core.rotation.stop()
      // The last checkpoint covers all that was written; it has to reach the store before that goes.
      core.audit.close()
      await Promise.all(keeping)
      letGo()
      await store.close()
    },
  }
  const letGo = () => {
    for (const engine of options.engines) engine.sealed?.()
  }
  const own = options.ownEngines(core)
  const engines = [own.sys, own.token, own.identity, ...options.engines]
  const sysMount = compileMount(sysEntry(), own.sys, ttl)
  return core
}

function findEngine(
  engines: readonly Engine[],
  mount: Parameters<EngineFinder>[0],
): Engine | undefined {
  const same = engines.filter(({ type, class: of }) => type === mount.type && of === mount.class)
  // A type with several versions is the first one unless the mount says otherwise (kv: "1").
  const version = mount.options?.['version'] ?? '1'
  return (
    same.find((engine) => engine.version === version) ?? (same.length === 1 ? same[0] : undefined)
  )
}

function sysEntry(): Mount['entry'] {
  return {
    path: 'sys/',
    class: 'secret',
    type: 'system',
    uuid: SYS_MOUNT_UUID,
    accessor: SYS_ACCESSOR,
    description: 'system endpoints used for control, policy and debugging',
    options: null,
    config: { default_lease_ttl: 0, max_lease_ttl: 0, force_no_cache: false },
    local: false,
    seal_wrap: true,
    external_entropy_access: false,
  }
}

/** Kind and place of an error, and of its cause. */
function describe(error: Error): string {
  const cause = error.cause instanceof Error ? `: ${describe(error.cause)}` : ''
  return `${error.name}${tellable(error)} ${stackPlaces(error)[0] ?? ''}${cause}`
}

/** The message of an error that cannot quote a request; of another its code, if it has one. */
function tellable(error: Error & { code?: unknown }): string {
  const { code } = error
  const ours = error instanceof Failure || error.message.startsWith('storage')
  const system = 'syscall' in error || code === 'ERR_SQLITE_ERROR'
  if (ours || system || error.name === 'TamperedError') return ` ${error.message}`
  return typeof code === 'string' ? ` ${code}` : ''
}

async function undo(core: Core, made: Made): Promise<void> {
  if (made.leaseId) await core.expiry.leases.end(made.leaseId)
  if (made.tokens.length === 0 && !made.step) return
  for (let attempt = 0; attempt < 5; attempt++) {
    const tx = await core.begin(false)
    if (!tx) return
    for (const token of made.tokens) await core.tokens.revokeTree(tx, token)
    if (made.step) await takeBack(tx, made.step)
    try {
      await core.commit(tx)
      return
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
    }
  }
}

/** Unless somebody has gone on from it. */
async function takeBack(tx: Tx, { before, after }: NonNullable<Made['step']>): Promise<void> {
  const now = await tx.get(after.path)
  if (JSON.stringify(now) !== JSON.stringify(after)) return
  const entry = await before
  if (entry) putPassing(tx, entry)
  else tx.remove(after.path)
}
