/** What a new server starts with: its fixed mounts, the default policy and a root token. */
import { type Tx } from '../barrier/space.ts'
import { type Random, uuid } from '../lib/random.ts'
import { type Core, SYS_ACCESSOR, SYS_MOUNT_UUID } from './core.ts'
import { type MountConfig, type MountEntry } from './mounts.ts'
import { putDefaultPolicy } from './policy-store.ts'
import { newRootToken } from './token-format.ts'

export const NO_TUNING: MountConfig = {
  default_lease_ttl: 0,
  max_lease_ttl: 0,
  force_no_cache: false,
}

type NewMount = Pick<MountEntry, 'path' | 'class' | 'type'> & Partial<MountEntry>

const IDENTITY_MOUNT: NewMount = {
  path: 'identity/',
  class: 'secret',
  type: 'identity',
  description: 'identity store',
}

/** Adds it to the table of a store that is older than this engine. */
export async function addIdentityMount(core: Core, tx: Tx): Promise<void> {
  const { mounts } = await core.mounts.table(tx)
  if (mounts.length === 0 || mounts.some(({ type }) => type === IDENTITY_MOUNT.type)) return
  core.mounts.save(tx, [...mounts, newMountEntry(IDENTITY_MOUNT, core.random)])
}

/** As Vault names them: auth_approle_0a1b2c3d. */
const newAccessor = (kind: MountEntry['class'], type: string, random: Random) =>
  `${kind === 'auth' ? 'auth_' : ''}${type}_${random(4).toString('hex')}`

export function newMountEntry(mount: NewMount, random: Random): MountEntry {
  return {
    uuid: uuid(random),
    accessor: newAccessor(mount.class, mount.type, random),
    description: '',
    options: null,
    config: NO_TUNING,
    local: false,
    seal_wrap: false,
    external_entropy_access: false,
    ...mount,
  }
}

/** Those that every namespace has. */
const FIXED: readonly NewMount[] = [
  {
    path: 'sys/',
    class: 'secret',
    type: 'system',
    description: 'system endpoints used for control, policy and debugging',
    seal_wrap: true,
  },
  {
    path: 'cubbyhole/',
    class: 'secret',
    type: 'cubbyhole',
    description: 'per-token private secret storage',
    local: true,
  },
  IDENTITY_MOUNT,
  {
    path: 'auth/token/',
    class: 'auth',
    type: 'token',
    description: 'token based credentials',
    config: { ...NO_TUNING, token_type: 'default-service' },
  },
]

/** The mounts a namespace starts with; `namespaced` says that it is not the root. */
export function firstMounts(random: Random, { namespaced }: { namespaced?: true }): MountEntry[] {
  return FIXED.map((mount) => {
    const entry = newMountEntry(mount, random)
    const { class: kind, type } = mount
    if (namespaced)
      return { ...entry, accessor: newAccessor(kind, `ns_${type}`, random), namespaced }
    return type === 'system' ? { ...entry, uuid: SYS_MOUNT_UUID, accessor: SYS_ACCESSOR } : entry
  })
}

export type FirstToken = {
  /** Dev mode lets the operator choose it. */
  id?: string
}

/** Writes the first entries and returns the root token. */
export function firstEntries(
  core: Core,
  tx: Tx,
  first: FirstToken & { extra?: NewMount[] } = {},
): string {
  const { random } = core
  const extra = (first.extra ?? []).map((mount) => newMountEntry(mount, random))
  core.mounts.save(tx, [...firstMounts(random, {}), ...extra])
  putDefaultPolicy(tx)
  return putRootToken(core, tx, first)
}

/** A token that may everything, for ever; made at initialization and by generate-root. */
export function putRootToken(core: Core, tx: Tx, first: FirstToken = {}): string {
  const { id } = core.tokens.create(tx, {
    id: first.id ?? newRootToken(core.random),
    policies: ['root'],
    path: 'auth/token/root',
    meta: null,
    displayName: 'root',
    numUses: 0,
    createdAt: core.clock.now(),
    ttlSeconds: 0,
    expiresAt: 0,
    explicitMaxTtlSeconds: 0,
    periodSeconds: 0,
    maxTtlSeconds: 0,
    renewable: false,
    orphan: true,
    type: 'service',
    entityId: '',
    boundCidrs: [],
  })
  return id
}
