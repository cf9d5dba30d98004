/**
 * Who holds which generations of a rotated credential.
 *
 *   rotation-holder/<mount>/<digest>/c-<instance>   a client that acknowledges
 *   rotation-holder/<mount>/<digest>/r-<token>      somebody who has read it and says nothing
 *
 * What decides is `holds`: every generation that the holder may still use. A reader that has read a
 * newer one has let go of the others; a client has only when it says that its pools are drained.
 * When in doubt a generation is held.
 */
import { type Scope, type Tx } from '../../barrier/space.ts'
import { type TargetSession } from '../../kit/rotation.ts'
import { type Tokens } from '../tokens.ts'
import { idOfEntry, type RotationEntry } from './record.ts'
import { rulesOf } from './timing.ts'

export type AckState = 'seen' | 'applied' | 'drained' | 'nack'

export type HolderEntry = {
  kind: 'client' | 'reader'
  /** Of a client: what it calls itself. Of a reader: the accessor of its token. */
  name: string
  app: string
  instance: string
  version: string
  address: string
  /** Entity or token: nobody else may speak for this client. */
  owner: string
  tokenUid: string
  /** When the token ends, where nothing is stored of it (batch tokens). */
  tokenEnds?: number
  /** Generations it may still use, in the order in which it came to them. */
  holds: readonly number[]
  /** Its last word, and about which generation. */
  state: AckState
  generation: number
  since: number
  at: number
  reason?: string
  /** A client that has never acknowledged; perhaps it may not. */
  silent?: true
}

/** Holders as they are told of: never a value. */
export type Holder = {
  readonly kind: 'client' | 'reader' | 'session'
  readonly name: string
  readonly app: string
  readonly instance: string
  readonly generation: number
  readonly state: string
  readonly since: number
  readonly address: string
  /** Whether the generation before cannot be revoked because of it. */
  readonly blocks: boolean
  /** Whether it has not said, or shown, that it uses the generation before no more. */
  readonly holds: boolean
  readonly reason?: string
}

export const HOLDERS = 'rotation-holder/'
const LAPSE_MS = 90_000
/** More of them than this make every look at them slow; the last places are for those that block. */
export const HOLDERS_MAX = 10_000

export const holdersPath = (id: string) => `${HOLDERS}${id}/`

export async function holdersOf(scope: Scope, entry: RotationEntry): Promise<HolderEntry[]> {
  const under = holdersPath(idOfEntry(entry))
  const found: HolderEntry[] = []
  for (const name of await scope.list(under)) {
    const holder = await scope.get<HolderEntry>(under + name)
    if (holder) found.push(holder)
  }
  return found
}

export type Judge = { tx: Tx; tokens: Tokens; now: number }

/**
 * Whether this one keeps the previous generation from being revoked. A reader does until it reads the
 * current one, its token has ended or the time has passed for which the silent count; that is
 * counted from the publication, because until then nobody had a reason to read again. A client that
 * has stopped reporting counts for that time whatever it has read; one that has never reported is a
 * reader that has a name.
 */
export async function blocks(
  holder: HolderEntry,
  entry: RotationEntry,
  { tx, tokens, now }: Judge,
): Promise<boolean> {
  const { previous } = entry
  if (!previous || !holder.holds.includes(previous.number)) return false
  const lapsed = holder.at + LAPSE_MS <= now
  if (holder.kind === 'client' && !lapsed) return true
  const isReader = onlyReads(holder)
  if (isReader && holder.holds.at(-1) === entry.current?.number) return false
  const { readerHoldSeconds } = rulesOf(entry.rules, entry.timing)
  if (now >= Math.max(previous.replacedAt, holder.at) + readerHoldSeconds * 1000) return false
  // A client's pool lives on when its token has ended; a reader is known by nothing else.
  return !isReader || tokenLives(holder, { tx, tokens, now })
}

const onlyReads = ({ kind, silent }: HolderEntry) => kind === 'reader' || silent === true

async function tokenLives(holder: HolderEntry, { tx, tokens, now }: Judge): Promise<boolean> {
  if (holder.tokenEnds !== undefined) return holder.tokenEnds > now
  return (await tokens.byAccessor(tx, holder.tokenUid, now)) !== undefined
}

export async function shownHolders(
  holders: readonly HolderEntry[],
  entry: RotationEntry,
  judge: Judge,
): Promise<Holder[]> {
  const shown: Holder[] = []
  for (const holder of holders) {
    const lapsed = holder.kind === 'client' && holder.at + LAPSE_MS <= judge.now
    shown.push({
      kind: holder.kind,
      name: holder.name,
      app: holder.app,
      instance: holder.instance,
      generation: holder.generation,
      state: lapsed ? 'lapsed' : holder.state,
      since: holder.since,
      address: holder.address,
      blocks: await blocks(holder, entry, judge),
      holds: entry.previous !== undefined && holder.holds.includes(entry.previous.number),
      ...(holder.reason !== undefined && { reason: holder.reason }),
    })
  }
  return shown.toSorted((a, b) => Number(b.blocks) - Number(a.blocks) || a.since - b.since)
}

/**
 * What a client calls its sessions on the target, so that they are known for its own:
 * `coffer:<app>:<start of the instance>`.
 */
const sessionNameOf = ({ app, instance }: Pick<Holder, 'app' | 'instance'>): string =>
  `coffer:${app}:${instance.slice(0, 8)}`

/** Whose session it is: only a client's own name, or instance, says that. */
function ownerOfSession(application: string, holders: readonly Holder[]): Holder | undefined {
  return holders.find(
    (holder) =>
      holder.instance !== '' &&
      (application === sessionNameOf(holder) || application === holder.instance),
  )
}

/**
 * Sessions on the target that may stand on the old credential. One of a client that has said that it
 * uses the old one no more keeps nobody waiting: some targets cannot tell with which of two passwords
 * a session came, or came anew.
 */
export function shownSessions(
  sessions: readonly TargetSession[],
  holders: readonly Holder[],
  generation: number,
): Holder[] {
  const apps = new Set(holders.map(({ app }) => app).filter((app) => app !== ''))
  const shown = new Map<string, Holder & { count: number }>()
  for (const session of sessions) {
    const { application, address } = session
    const owner = application === '' ? undefined : ownerOfSession(application, holders)
    const known = owner !== undefined || apps.has(application)
    const key = `${application}\0${hostOf(address)}`
    const before = shown.get(key)
    shown.set(key, {
      kind: 'session',
      name: application || session.user,
      app: owner?.app ?? application,
      instance: owner?.instance ?? '',
      generation,
      state: known ? 'connected' : 'unregistered',
      since: Math.min(before?.since ?? Infinity, session.since),
      address,
      blocks: owner?.holds ?? true,
      holds: owner?.holds ?? true,
      count: (before?.count ?? 0) + 1,
    })
  }
  return [...shown.values()].map(({ count, ...holder }) =>
    count === 1 ? holder : { ...holder, name: `${holder.name} (${count} sessions)` },
  )
}

/** Some targets tell the port too, which is another one for each session. */
const hostOf = (address: string): string => address.replace(/^(\d+(?:\.\d+){3}|\[.*\]):\d+$/, '$1')

/** `app web-1 (10.0.0.7)`: for a refusal, the log and an event. */
export function nameOf({ kind, name, app, address }: Holder): string {
  const who = app !== '' && app !== name ? `${app} ${name}` : name
  return `${kind} ${who}${address === '' ? '' : ` (${address})`}`
}

/** So many at a time; the next look takes the next ones. */
const PRUNED_MAX = 500
const SILENT_MS = 7 * 24 * 3_600_000

/**
 * Readers whose token has ended, and clients of which nothing was heard for a week: with many short
 * logins there would be more of them each day.
 */
export async function goneHolders(
  scope: Scope,
  entry: RotationEntry,
  judge: Judge,
): Promise<string[]> {
  const under = holdersPath(idOfEntry(entry))
  const gone: string[] = []
  for (const name of await scope.list(under)) {
    const holder = await scope.get<HolderEntry>(under + name)
    if (!holder) continue
    const isOld = holder.at + SILENT_MS <= judge.now
    const over = onlyReads(holder) ? !(await tokenLives(holder, judge)) : isOld
    if (over && !(await blocks(holder, entry, judge))) gone.push(under + name)
    if (gone.length === PRUNED_MAX) break
  }
  return gone
}

/** Forgets who held a generation that is revoked. */
export async function forgetGeneration(
  scope: Scope,
  entry: RotationEntry,
  number: number,
): Promise<void> {
  const under = holdersPath(idOfEntry(entry))
  for (const name of await scope.list(under)) {
    const holder = await scope.get<HolderEntry>(under + name)
    if (!holder?.holds.includes(number)) continue
    const holds = holder.holds.filter((each) => each !== number)
    if (holds.length === 0) scope.remove(under + name)
    else scope.put(under + name, { ...holder, holds })
  }
}
