/**
 * What the simulation knows to be true: every record with what was acknowledged about it, and at
 * most one operation whose outcome nobody knows.
 */
import { type Seeded } from '../torture/seeded.ts'
import { type KeyRecord } from '../torture/ledger.ts'

export type Token = {
  id: string
  accessor: string
  /** 0 = unlimited. */
  usesLeft: number
  expiresAt: number
  parent?: Token | undefined
  ended: boolean
  pending?: 'use' | 'end' | 'end, children stay' | undefined
}
/** An answer in a wrapping token, or a secret id: there until it is used, once. */
export type Single = {
  kind: 'wrap' | 'secret id'
  id: string
  accessor: string
  value: string
  expiresAt: number
  used: boolean
  pending?: boolean | undefined
}
export type Lent = {
  id: string
  thing: string
  expiresAt: number
  owner: Token | undefined
  ended: boolean
  pending?: boolean | undefined
}

export type World = {
  readonly random: Seeded
  readonly keys: KeyRecord[]
  readonly tokens: Token[]
  readonly singles: Single[]
  readonly lent: Lent[]
  readonly givenBack: Set<string>
  count: number
  readonly counts: { acked: number; unknown: number; breaks: number }
}

const KEYS = 8

export function newWorld(random: Seeded): World {
  const keys = Array.from({ length: KEYS }, (_, i): KeyRecord => {
    return { kind: 'key', name: `folder-${i % 3}/k${i}`, versions: [] }
  })
  return {
    random,
    keys,
    tokens: [],
    singles: [],
    lent: [],
    givenBack: new Set(),
    count: 0,
    counts: { acked: 0, unknown: 0, breaks: 0 },
  }
}

/** A token ends with itself, its time, or the first of its ancestors. */
export function isAlive(token: Token, now: number): boolean {
  if (token.ended || token.expiresAt <= now) return false
  return token.parent === undefined || isAlive(token.parent, now)
}

/** Whether something unknown has been asked of it or of an ancestor. */
export function isUnclear(token: Token): boolean {
  return token.pending !== undefined || (token.parent !== undefined && isUnclear(token.parent))
}

export const isLent = (lent: Lent, now: number) =>
  !lent.ended && lent.expiresAt > now && (lent.owner === undefined || isAlive(lent.owner, now))
