/**
 * How old secrets and credentials are, against a policy: every secret the caller may read about, and
 * everything that is rotated. The stale ones come first; what is inside is not looked at.
 */
import { type Call } from '../../kit/call.ts'
import { refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { parseDurationSeconds } from '../../lib/duration.ts'
import { type Core } from '../core.ts'
import { scopeIn } from '../namespaces.ts'
import { leavesOf, treeView } from '../tree-view.ts'
import { turnOf } from '../turn.ts'
import { type RotationEntry, rotationsIn } from './record.ts'
import { fullPathOf, mayRead } from './subject.ts'

export type Asked = { prefix: string; maxAgeSeconds: number; limit: number }

type State = 'stale' | 'due' | 'ok' | 'unknown'
type Row = {
  path: string
  kind: 'secret' | 'credential'
  /** By which kind of rotation; '' = by hand. */
  rotated: string
  changedAt: number | undefined
  maxAgeSeconds: number
  state: State
  nextAt: number | undefined
}

/** A secret says with this note how old it may become. */
const NOTE = 'max_age'
/** From this part of the age on it is due. */
const DUE = 0.8
const LOOKED_MAX = 100_000
const ORDER: Record<State, number> = { stale: 0, unknown: 1, due: 2, ok: 3 }

export async function ageReport(call: Call<never>, core: Core, asked: Asked) {
  if (!(asked.maxAgeSeconds > 0)) refuse('max_age must be more than 0')
  // Beside the transaction: a long look must not meet each write.
  const aside = await core.begin(false)
  if (!aside) return undefined
  const turn = turnOf(call)
  const scope = scopeIn(aside, turn.ns)
  const mounts = new Map((await core.mounts.all(scope)).map((each) => [each.view.uuid, each]))
  const rotated = new Map<string, RotationEntry>()
  for (const entry of await rotationsIn(scope)) {
    const mount = mounts.get(entry.mount)
    const kind = mount?.engine.rotations?.[entry.of]
    if (!mount || !kind || entry.state === 'RETIRING') continue
    if (mayRead(turn, { mount, kind, entry })) rotated.set(fullPathOf(mount, entry), entry)
  }
  const rows: Row[] = []
  const add = (row: Omit<Row, 'state'>) => {
    if (row.path.startsWith(asked.prefix)) rows.push({ ...row, state: stateOf(row, call.now) })
  }
  const view = treeView(call, core, scope)
  const starts = (await view.roots()).map((spot) => ({ spot, prefix: spot.mount.entry.path }))
  let looked = 0
  let complete = true
  for await (const { spot, path } of leavesOf(view, starts, { note: true })) {
    if (looked++ >= LOOKED_MAX) {
      complete = false
      break
    }
    const entry = rotated.get(path)
    rotated.delete(path)
    const known = await spot.tree.changed?.(spot.store, spot.path)
    add({
      path,
      kind: 'secret',
      rotated: entry?.of ?? '',
      changedAt: entry?.current?.publishedAt ?? known?.at,
      maxAgeSeconds: noted(known?.notes?.[NOTE]) ?? asked.maxAgeSeconds,
      nextAt: entry?.nextAt,
    })
  }
  for (const [path, { of, current, nextAt }] of rotated) {
    const { maxAgeSeconds } = asked
    add({
      path,
      kind: 'credential',
      rotated: of,
      changedAt: current?.publishedAt,
      maxAgeSeconds,
      nextAt,
    })
  }
  rows.sort((a, b) => ORDER[a.state] - ORDER[b.state] || (a.changedAt ?? 0) - (b.changedAt ?? 0))
  const count = (state: State) => rows.filter((row) => row.state === state).length
  return {
    total: rows.length,
    stale: count('stale'),
    due: count('due'),
    ok: count('ok'),
    unknown: count('unknown'),
    max_age: asked.maxAgeSeconds,
    complete,
    entries: rows.slice(0, asked.limit).map((row) => shown(row, call.now)),
  }
}

function stateOf({ changedAt, maxAgeSeconds }: Omit<Row, 'state'>, now: number): State {
  if (changedAt === undefined) return 'unknown'
  const age = (now - changedAt) / 1000
  return age >= maxAgeSeconds ? 'stale' : age >= maxAgeSeconds * DUE ? 'due' : 'ok'
}

function noted(text: string | undefined): number | undefined {
  try {
    const seconds = text === undefined ? 0 : parseDurationSeconds(text)
    return seconds > 0 ? seconds : undefined
  } catch {
    return undefined
  }
}

function shown(row: Row, now: number) {
  const { changedAt, nextAt } = row
  return {
    path: row.path,
    kind: row.kind,
    rotated: row.rotated,
    state: row.state,
    age: changedAt === undefined ? null : Math.floor((now - changedAt) / 1000),
    max_age: row.maxAgeSeconds,
    changed: changedAt === undefined ? null : rfc3339(changedAt),
    next_rotation: nextAt === undefined ? null : rfc3339(nextAt),
  }
}
