/**
 * What one way of rotating does on one kind of target. The kinds of rotation (static-kinds.ts) open
 * the target and choose the rotor; core decides what is done when.
 */
import { type TargetSession } from '../../../kit/rotation.ts'
import { type Login } from '../target.ts'

export type Held = {
  readonly current: Login | undefined
  readonly previous: Login | undefined
}

export type Rotor = {
  /** As plans and reports tell it. */
  readonly strategy: 'ab' | 'dual-password' | 'single'
  /** Whether there is a moment at which the served login does not work. */
  readonly gap: boolean
  readonly seesSessions: boolean
  /** The user of the next generation. */
  nextUsername(held: Held): string
  /** For people, one line each: what will be done. */
  steps(username: string): readonly string[]
  apply(candidate: Login, held: Held): Promise<void>
  /** In what the candidate may do other things than what is served; undefined = in nothing. */
  differs?(candidate: Login, held: Held): Promise<string | undefined>
  /** `servedSince`: from when the login that came after this one was served; undefined = none has. */
  sessions?(login: Login, servedSince: number | undefined): Promise<readonly TargetSession[]>
  softRevoke(old: Login, current: Login): Promise<void>
  undoSoftRevoke(old: Login, current: Login): Promise<void>
  /** Where the target does not tell, 0. */
  refusedSince?(old: Login, since: number): Promise<number>
  revoke(old: Login, current: Login): Promise<void>
  /** How many sessions were ended. */
  terminate?(old: Login, servedSince: number | undefined): Promise<number>
  discard(candidate: Login, held: Held): Promise<void>
  reapply(current: Login): Promise<void>
}

/** Of two slots the one that nothing standing uses; the first when both are free. */
export function freeSlot(slots: readonly [string, string], { current, previous }: Held): string {
  const used = [current?.username, previous?.username]
  const free = slots.find((slot) => !used.includes(slot))
  if (free === undefined) throw new Error('both slots are in use')
  return free
}

/** What a driver gives of a column of text, which may be NULL. */
export const shown = (value: unknown): string => (typeof value === 'string' ? value : '')

export const slotsOf = (username: string): [string, string] => [`${username}_a`, `${username}_b`]
