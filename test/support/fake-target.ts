/**
 * A fake target for rotations: a server with users, passwords and sessions, in memory. It is named a
 * fake wherever it stands, and can fail at every point: before a statement, after it (the reply is
 * lost), too slowly (the statement is done later), or not be there at all.
 */
import { type Clock } from '../../src/lib/clock.ts'

/**
 * `before`: not done. `after`: done, and the reply is lost. `slow`: done a minute later, and never
 * answered. `down`: this statement and the next two find nobody.
 */
export type Fault = 'before' | 'after' | 'slow' | 'down'
export const FAULTS: readonly Fault[] = ['before', 'after', 'slow', 'down']

type User = { passwords: Set<string>; locked: boolean }
export type FakeSession = {
  id: string
  user: string
  application: string
  address: string
  since: number
}

export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

export type FakeTarget = {
  /** Every statement so far, without values. */
  readonly statements: string[]
  /** The n-th statement from now on goes wrong. */
  breakAt(n: number, fault: Fault): void
  /** Nobody is there until it is switched on again. */
  switchOff(off: boolean): void
  /** One statement: what an engine sends, with all that can go wrong. */
  run<T>(name: string, act: () => T): Promise<T>
  /** As an app does; true when it is let in. Never goes wrong by itself. */
  login(user: string, password: string): boolean
  /** Open sessions. */
  connect(session: Omit<FakeSession, 'id' | 'since'>): FakeSession
  disconnect(id: string): void
  sessions(user: string): FakeSession[]
  setPassword(user: string, password: string): void
  addPassword(user: string, password: string): void
  dropPassword(user: string, password: string): void
  lock(user: string, locked: boolean): void
  drop(user: string): void
  users(): string[]
  passwordsOf(user: string): string[]
  isLocked(user: string): boolean
  /** When logins of this user were refused. */
  refusals(user: string): number[]
}

const SLOW_MS = 60_000

export function fakeTarget(clock: Clock): FakeTarget {
  const users = new Map<string, User>()
  const refused = new Map<string, number[]>()
  let open: FakeSession[] = []
  let ids = 0
  let left = Infinity
  let fault: Fault = 'before'
  let downFor = 0
  let off = false
  const statements: string[] = []
  const userOf = (name: string): User => {
    const user = users.get(name) ?? { passwords: new Set(), locked: false }
    users.set(name, user)
    return user
  }

  async function broken<T>(act: () => T): Promise<T> {
    if (fault === 'down') downFor = 2
    if (fault === 'after') act()
    if (fault === 'slow') {
      clock.after(SLOW_MS, act)
      // Whoever waits for this must have a time limit of its own.
      return new Promise<never>(() => {})
    }
    throw new Unreachable(`the connection broke (${fault})`)
  }

  return {
    statements,
    breakAt(n, how) {
      left = n
      fault = how
    },
    switchOff(now) {
      off = now
    },
    async run(name, act) {
      statements.push(name)
      if (off) throw new Unreachable('nobody is there')
      if (downFor > 0) {
        downFor--
        throw new Unreachable('nobody is there')
      }
      if (--left === 0) return broken(act)
      return act()
    },
    login(name, password) {
      const user = users.get(name)
      const let_in = user !== undefined && !user.locked && user.passwords.has(password)
      if (!let_in) refused.set(name, [...(refused.get(name) ?? []), clock.now()])
      return let_in
    },
    connect(session) {
      const made = { ...session, id: String(++ids), since: clock.now() }
      open.push(made)
      return made
    },
    disconnect: (id) => void (open = open.filter((each) => each.id !== id)),
    sessions: (name) => open.filter(({ user }) => user === name),
    setPassword: (name, password) => void (userOf(name).passwords = new Set([password])),
    addPassword: (name, password) => void userOf(name).passwords.add(password),
    dropPassword: (name, password) => void userOf(name).passwords.delete(password),
    lock: (name, locked) => void (userOf(name).locked = locked),
    drop(name) {
      users.delete(name)
      open = open.filter(({ user }) => user !== name)
    },
    users: () => [...users.keys()],
    passwordsOf: (name) => [...(users.get(name)?.passwords ?? [])],
    isLocked: (name) => users.get(name)?.locked === true,
    refusals: (name) => refused.get(name) ?? [],
  }
}
