/**
 * Values that were handed out with leases, for those who look for leaks. While a lease lasts, they lie
 * in it; when it has ended they are kept for a week, because what has leaked is found later than it was
 * used. They are sealed as everything in the store is, and no endpoint shows them: they become
 * fingerprints under a key that is new in each index, which digests made beforehand could not.
 *
 *   issued/<uuid of the mount>/<digest of the lease's id>    a passing entry
 */
import { createHash } from 'node:crypto'
import { type Scope, type Tx } from '../barrier/space.ts'
import { breather } from '../lib/breathe.ts'
import { type IndexedValue } from '../rules/fingerprints.ts'
import { type Core } from './core.ts'
import { type LeaseEntry } from './leases.ts'
import { prefixOfHome } from './namespaces.ts'
import { type PassingEntry, putPassing } from './passing.ts'
import { policyPathOf, type Turn } from './turn.ts'

export type Issued = {
  /** The path it was read at, below its mount. */
  readonly at: string
  /** By the names that they have in the answer. */
  readonly values: Readonly<Record<string, string>>
}

type PastIssue = PassingEntry & { readonly mount: string; readonly lease: string } & Issued

const FOLDER = 'issued/'
const RETENTION_MS = 7 * 24 * 3_600_000
/** An index is made in memory and in one go. */
const VALUES_MAX = 20_000

/** The lease has ended: its values are past ones from now on. */
export function keepIssued(tx: Tx, { id, mount, namespace, expiresAt, issued }: LeaseEntry): void {
  if (!issued) return
  const digest = createHash('sha256').update(id).digest('base64url')
  const path = `${prefixOfHome(namespace)}${FOLDER}${mount}/${digest}`
  const until = expiresAt + RETENTION_MS
  const past: PastIssue = { kind: 'passing', path, expiresAt: until, mount, lease: id, ...issued }
  putPassing(tx, past)
}

type Asked = { core: Core; scope: Scope; path: string }

/** What was issued at the paths below this one that the caller may read, and where there was more. */
export async function issuedBelow(
  turn: Turn,
  { core, scope, path }: Asked,
): Promise<{ values: IndexedValue[]; truncated: boolean }> {
  const mounts = await core.mounts.all(scope)
  const paths = new Map(mounts.map(({ entry }) => [entry.uuid, entry.path]))
  const found: IndexedValue[] = []
  const may = rightsOf(turn)
  for await (const one of allIssued(scope, [...paths.keys()], turn.now)) {
    const mount = paths.get(one.mount)
    const full = `${mount ?? ''}${one.at}`
    if (mount === undefined || !isBelow(full, path) || !may.read(full)) continue
    const { live, lease } = one
    const about = { path: full, version: 0, live, ...(may.seeLeases(full) && { lease }) }
    for (const [field, value] of Object.entries(one.values)) {
      if (found.length >= VALUES_MAX) return { values: found, truncated: true }
      found.push({ ...about, field, value })
    }
  }
  return { values: found, truncated: false }
}

/** Many leases are of one path: it is judged once. */
function rightsOf(turn: Turn) {
  const check = (path: string, operation: 'read' | 'list') =>
    turn.acl?.check({ path: policyPathOf(turn, path), operation, data: {} })
  const reads = new Map<string, boolean>()
  const lists = new Map<string, boolean>()
  const once = (known: Map<string, boolean>, path: string, judge: () => boolean) => {
    let may = known.get(path)
    if (may === undefined) known.set(path, (may = judge()))
    return may
  }
  return {
    read: (path: string) => once(reads, path, () => check(path, 'read')?.allowed === true),
    /** The ids of leases are for those who may list them, and for nobody else. */
    seeLeases: (path: string) =>
      once(lists, path, () => {
        const verdict = check(`sys/leases/lookup/${path}/`, 'list')
        return verdict?.allowed === true && verdict.sudo
      }),
  }
}

export const isBelow = (full: string, path: string): boolean =>
  path === '' || full === path || full.startsWith(path.endsWith('/') ? path : `${path}/`)

type One = Issued & { readonly mount: string; readonly lease: string; readonly live: boolean }

async function* allIssued(
  scope: Scope,
  mounts: readonly string[],
  now: number,
): AsyncGenerator<One> {
  const breathe = breather()
  for await (const { id, mount, issued, revoking, expiresAt } of leasesIn(
    scope,
    'lease/',
    breathe,
  )) {
    if (issued) yield { ...issued, mount, lease: id, live: !revoking && expiresAt > now }
  }
  for (const mount of mounts) {
    const names = await scope.list(`${FOLDER}${mount}/`)
    for (const name of names) {
      await breathe(1)
      const past = await scope.get<PastIssue>(`${FOLDER}${mount}/${name}`)
      if (past && past.expiresAt > now) yield { ...past, live: false }
    }
  }
}

async function* leasesIn(
  scope: Scope,
  folder: string,
  breathe: (steps: number) => Promise<void> | void,
): AsyncGenerator<LeaseEntry> {
  for (const name of await scope.list(folder)) {
    if (name.endsWith('/')) {
      yield* leasesIn(scope, folder + name, breathe)
      continue
    }
    await breathe(1)
    const entry = await scope.get<LeaseEntry>(folder + name)
    if (entry) yield entry
  }
}
