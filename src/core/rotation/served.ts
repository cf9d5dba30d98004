/**
 * Notes who reads a credential that is rotated, before the answer goes out. One that names its
 * instance is a client and will acknowledge; any other token is a reader, who counts as a holder
 * until it reads the next generation. Each is written once for a generation: that it is there already
 * is a look into the barrier's cache, which is exact.
 */
import { type Awaitable, whenReady } from '../../lib/awaitable.ts'
import { type TokenEntry } from '../tokens.ts'
import { type Turn } from '../turn.ts'
import { digestOf, idOf } from './record.ts'
import { type HolderEntry, HOLDERS } from './holders.ts'

export const INSTANCE = /^[\w.:-]{1,64}$/
const APP = /^[\w.:/@+ -]{1,64}$/

/** Digests of paths, so that a read of a rotated secret costs no hash. */
let ids = new Map<string, string>()
const IDS_MAX = 10_000

function idFor(mount: string, path: string): string {
  const key = `${mount}/${path}`
  let id = ids.get(key)
  if (id === undefined) {
    if (ids.size >= IDS_MAX) ids = new Map()
    id = idOf(mount, path)
    ids.set(key, id)
  }
  return id
}

export function noteServed(turn: Turn): Awaitable<void> {
  const { reply, mount, token, scope } = turn
  const { kind, name, generation } = reply!.served!
  reply!.headers = { ...reply!.headers, 'X-Coffer-Generation': String(generation) }
  const path = mount!.engine.rotations?.[kind]?.servedAt(name)
  if (path === undefined || !token || !scope) return
  const instance = instanceOf(turn)
  const holder = instance === undefined ? `r-${token.uid}` : `c-${digestOf(instance)}`
  const at = `${HOLDERS}${idFor(mount!.entry.uuid, path)}/${holder}`
  return whenReady(scope.get<HolderEntry>(at), (known) => {
    // The last in the list is what it has been given last.
    if (known?.holds.at(-1) === generation) return
    const holds = instance !== undefined && known ? withHold(known.holds, generation) : [generation]
    scope.put(at, {
      ...(known ?? firstSeen(turn, token, instance)),
      ...seen(turn, token),
      holds,
      generation,
    })
  })
}

export const withHold = (holds: readonly number[], generation: number): number[] => [
  ...holds.filter((each) => each !== generation),
  generation,
]

const seen = (turn: Turn, token: TokenEntry) => ({
  state: 'seen' as const,
  at: turn.now,
  since: turn.now,
  address: turn.request.remoteAddress,
  tokenUid: token.uid,
  ...(token.type === 'batch' && { tokenEnds: token.expiresAt }),
})

function firstSeen(turn: Turn, token: TokenEntry, instance: string | undefined) {
  const made = newHolder(turn, token, instance)
  return instance === undefined ? made : { ...made, silent: true as const }
}

export function newHolder(
  turn: Turn,
  token: TokenEntry,
  instance: string | undefined,
): Omit<HolderEntry, 'holds' | 'generation' | 'state' | 'since' | 'at' | 'address' | 'tokenUid'> {
  return {
    kind: instance === undefined ? 'reader' : 'client',
    name: instance ?? (token.displayName || token.accessor || 'batch token'),
    app: appOf(turn) ?? '',
    instance: instance ?? '',
    version: '',
    owner: ownerOf(token),
  }
}

/** Who may speak for a client: its entity, or where there is none, its token. */
export const ownerOf = (token: TokenEntry): string => token.entityId || `token:${token.uid}`

export function headerOf(turn: Turn, name: string): string | undefined {
  const { rawHeaders } = turn.request
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name) return rawHeaders[i + 1]
  }
  return undefined
}

/** One that is no plain name is none: what it says would be shown to people. */
function instanceOf(turn: Turn): string | undefined {
  const given = headerOf(turn, 'x-coffer-instance')
  return given !== undefined && INSTANCE.test(given) ? given : undefined
}

function appOf(turn: Turn): string | undefined {
  const given = headerOf(turn, 'x-coffer-app')
  return given !== undefined && APP.test(given) ? given : undefined
}
