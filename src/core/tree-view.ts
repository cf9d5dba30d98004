/**
 * What one caller may see and do of the secrets at paths, over all mounts of their namespace that
 * hold such. Every path is judged by the caller's own ACL as if it had been asked for alone: a
 * folder is entered if they may list it, a secret is there if they may read it.
 */
import { type Scope } from '../barrier/space.ts'
import { type Call, type EntryStore } from '../kit/call.ts'
import { Failure, refuse } from '../kit/failure.ts'
import { type Leaf, type Right, type Tree, type TreeUse } from '../kit/tree.ts'
import { breather } from '../lib/breathe.ts'
import { compareBytes } from '../lib/bytewise.ts'
import { canonicalInput } from './canonical-path.ts'
import { type Core } from './core.ts'
import { entriesUnder, type Mount } from './mounts.ts'
import { homeOf } from './namespaces.ts'
import { policyPathOf, type Turn, turnOf } from './turn.ts'
import { emitEvent } from './watch/events.ts'

/** A path in a mount that has a tree. */
export type Spot = {
  readonly mount: Mount
  readonly tree: Tree
  readonly store: EntryStore
  /** Relative to the mount; '' or ending in '/' is a folder. */
  readonly path: string
}

export type TreeView = {
  readonly turn: Turn
  /** The spot of a path as the caller names it; throws where none can be. */
  at(path: string): Promise<Spot>
  /** All roots that have a tree, in order. */
  roots(): Promise<Spot[]>
  may(spot: Spot, use: TreeUse, leaf?: Leaf): boolean
  /** Throws a 403 that names what is missing. */
  require(spot: Spot, use: TreeUse, leaf?: Leaf): void
  /** Writes down that this was done. */
  note(spot: Spot, use: TreeUse): void
  /** Tells those who watch that path. Where something came from or went to is not for them. */
  emit(spot: Spot, type: string, version?: number): void
}

export const fullPath = ({ mount, path }: Spot): string => mount.entry.path + path

export function treeView(call: Call<never>, core: Core, scope: Scope): TreeView {
  const turn = turnOf(call)
  const { wrapTtlSeconds } = turn.request
  const spot = (mount: Mount, tree: Tree, path: string): Spot => ({
    mount,
    tree,
    store: entriesUnder(scope, mount.prefix),
    path,
  })
  const verdict = ({ mount }: Spot, { path, operation, data = {} }: Right) =>
    turn.acl!.check({
      path: policyPathOf(turn, mount.entry.path + path),
      operation,
      data,
      wrapTtlSeconds,
    })
  return {
    turn,
    async at(given) {
      const path = canonicalInput(given.replace(/^\//, ''))
      if (path === '') refuse('missing path')
      const mount = await core.mounts.find(scope, path)
      if (mount?.engine.tree) {
        return spot(mount, mount.engine.tree, path.slice(mount.entry.path.length))
      }
      // What is mounted where is told only to those who may do something there.
      if (turn.acl!.capabilities(policyPathOf(turn, path))[0] === 'deny') {
        throw new Failure('permission_denied', undefined, { wrapped: true })
      }
      return refuse(`no mount that keeps secrets at paths serves "${path}"`)
    },
    async roots() {
      const { mounts } = await core.mounts.table(scope)
      const found: Spot[] = []
      for (const entry of mounts) {
        const mount = await core.mounts.at(scope, entry.path)
        if (mount?.engine.tree) found.push(spot(mount, mount.engine.tree, ''))
      }
      return found.sort((a, b) => compareBytes(a.mount.entry.path, b.mount.entry.path))
    },
    may(at, use, leaf) {
      return at.tree.rights(use, at.path, leaf).every((right) => verdict(at, right).allowed)
    },
    require(at, use, leaf) {
      for (const right of at.tree.rights(use, at.path, leaf)) {
        if (verdict(at, right).allowed) continue
        throw new Failure(
          'permission_denied',
          `permission denied: ${right.operation} on ${at.mount.entry.path}${right.path}`,
        )
      }
    },
    note(at, use) {
      for (const right of at.tree.rights(use, at.path)) {
        const { grantingPolicies } = verdict(at, right)
        turn.parts.push(partOf(turn, at.mount, { ...right, grantingPolicies }))
      }
    },
    emit({ mount, path }, type, version) {
      const source = { mount: mount.entry, home: homeOf(turn.ns).namespace, now: turn.now }
      const event = { type, path, ...(version && { version }) }
      if (turn.tx) emitEvent(turn.tx, source, event)
    },
  }
}

/** The same request at another path, as the audit log tells it. */
function partOf(
  turn: Turn,
  mount: Mount,
  done: Right & { grantingPolicies: readonly string[] },
): Turn {
  return {
    ...turn,
    request: { ...turn.request, data: {} },
    path: mount.entry.path + done.path,
    mount,
    match: undefined,
    operation: done.operation,
    allowed: true,
    grantingPolicies: done.grantingPolicies,
    refusal: undefined,
    reply: undefined,
    asked: undefined,
    via: turn.path,
    parts: [],
  }
}

export type Walk = {
  /** Only paths that sort after this one, relative to where the walk begins. */
  after?: string | undefined
  /** Names of folders that were listed, for the audit log. */
  note?: boolean
  /** Of the walk this one is a part of. */
  breathe?: (steps: number) => Promise<void> | void
}

/** Folders as seen from the start of a walk: what stands before the names in them. */
type Start = { readonly spot: Spot; readonly prefix: string }

/**
 * The secrets below some folders that the caller may see, in order, by their paths from the start.
 * A secret is seen by who may list its folder and all between, and read it or what is known of it.
 */
export async function* leavesOf(
  view: TreeView,
  starts: readonly Start[],
  { after, note = false, breathe = breather() }: Walk = {},
): AsyncGenerator<{ spot: Spot; path: string }> {
  for (const { spot, prefix } of starts) {
    if (after !== undefined && !reachesPast(prefix, after)) continue
    if (!view.may(spot, 'list')) continue
    if (note) view.note(spot, 'list')
    const names = await spot.tree.list(spot.store, spot.path)
    await breathe(names.length)
    for (const name of names) {
      const inner: Spot = { ...spot, path: spot.path + name }
      const path = prefix + name
      if (name.endsWith('/'))
        yield* leavesOf(view, [{ spot: inner, prefix: path }], { after, note, breathe })
      else if (after === undefined || compareBytes(path, after) > 0) {
        if (view.may(inner, 'read') || view.may(inner, 'describe')) yield { spot: inner, path }
      }
    }
  }
}

const reachesPast = (folder: string, after: string) =>
  after.startsWith(folder) || compareBytes(folder, after) > 0

export const isFolder = ({ path }: Spot): boolean => path === '' || path.endsWith('/')

/** The same spot as a folder. */
export const asFolder = (spot: Spot): Spot =>
  isFolder(spot) ? spot : { ...spot, path: `${spot.path}/` }
