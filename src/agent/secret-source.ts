/**
 * What templates read: each path is read once, kept, and kept fresh: leases are renewed or replaced
 * before they end, secrets of KV looked at again when the server tells of a change, and all others
 * from time to time. A read that fails later leaves the old value in use, for a program is better off
 * with that than with none.
 */
import { type Client } from '../client/connect.ts'
import { DeniedError, InvalidRequestError, MissingError } from '../client/errors.ts'
import { stringifyJson } from '../client/json.ts'
import { onPush, type Pushed } from '../client/pushed.ts'
import { type Reply } from '../client/reply.ts'
import { type Clock } from '../lib/clock.ts'
import { addGeneration, type Generations } from './holding.ts'
import { FunctionError, type Functions } from './template/render.ts'
import { printed, type Value, type ValueMap } from './template/value.ts'

/** A template needs something that has not been read yet: fetch it, and render again. */
export class NotYet extends Error {
  override readonly name = 'NotYet'
  readonly key: string

  constructor(key: string) {
    super('not read yet')
    this.key = key
  }
}

export type SecretSource = {
  readonly functions: Functions
  /** The same functions for one rendering; `used` tells what they have given that is rotated. */
  noting(): { functions: Functions; used: Generations }
  /** Reads what a NotYet asked for. Rejects with what the server said. */
  fetch(key: string): Promise<void>
  /** After a new login: the leases of the old token end with it. */
  renewed(): void
  close(): void
}

type Options = {
  readonly client: Client
  readonly clock: Clock
  readonly random: () => number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly refreshSeconds: number
  readonly onChange: () => void
  /** Told of all that is rotated, with each read. */
  readonly onRead?: (generations: Generations) => void
  readonly onError: (path: string, error: unknown) => void
}
type Ask = {
  readonly kind: 'secret' | 'secrets'
  readonly path: string
  readonly data?: Record<string, string>
}
type Rotated = { path: string; generation: number | undefined }
type Kept = {
  value: Value
  mark: string
  leaseId: string | undefined
  /** Where it is, and which one it is if it is rotated. */
  rotated: Rotated
  /** Which of the reads it is from: one that began later may be answered sooner. */
  turn: number
  cancel: () => void
}

const RENEW_AT = 2 / 3
const REPLACE_AT = 0.9
const RETRY_SECONDS = 10

export function createSecretSource(options: Options): SecretSource {
  const { client, clock, random, onChange, onError } = options
  const kept = new Map<string, Kept>()
  const placeOf = createPlaces(client)
  const pushed = new Map<string, Pushed>()
  let turns = 0
  let closed = false

  const reading = (used?: Map<string, number>): Functions => {
    const get = (ask: Ask): Value => {
      const key = JSON.stringify(ask)
      const found = kept.get(key)
      if (!found) throw new NotYet(key)
      if (used) addGeneration(used, found.rotated)
      return found.value
    }
    return {
      secret: (path, ...pairs) => get(askOf(path, pairs)),
      secrets: (path) => get({ kind: 'secrets', path: textOf(path) }),
      ...environment(options.env),
    }
  }
  const later = (seconds: number, key: string, work: (key: string) => Promise<void>) => {
    if (closed) return () => {}
    return clock.after(seconds * 1000, () => {
      work(key).catch((error: unknown) => {
        if (closed) return
        onError((JSON.parse(key) as Ask).path, error)
        const entry = kept.get(key)
        if (entry)
          entry.cancel = later(Math.min(options.refreshSeconds, RETRY_SECONDS), key, refresh)
      })
    })
  }
  const store = (key: string, ask: Ask, { reply, value, turn, place }: Read & { turn: number }) => {
    const before = kept.get(key)
    if (before && before.turn > turn) return
    before?.cancel()
    const mark = stringifyJson(value)
    const rotated = { path: place ?? ask.path, generation: reply?.generation }
    const entry: Kept = { value, mark, leaseId: reply?.leaseId, rotated, turn, cancel: () => {} }
    kept.set(key, entry)
    const { path, generation } = rotated
    if (generation !== undefined) options.onRead?.(new Map([[path, generation]]))
    const [seconds, work] = next(ask, reply)
    if (seconds !== undefined) entry.cancel = later(seconds * (1 - 0.1 * random()), key, work)
    if (before && before.mark !== mark) onChange()
  }
  const next = (ask: Ask, reply: Reply | undefined): [number | undefined, typeof refresh] => {
    if (reply?.leaseId !== undefined && reply.leaseSeconds > 0) {
      const part = reply.renewable ? RENEW_AT : REPLACE_AT
      return [reply.leaseSeconds * part, reply.renewable ? renew : refresh]
    }
    if (ask.data === undefined) return [options.refreshSeconds, refresh]
    // What was made by a write, such as a certificate, is made again before it ends.
    const end = Number(reply?.data?.['expiration'])
    return [
      Number.isFinite(end) ? Math.max(1, end - clock.now() / 1000) * REPLACE_AT : undefined,
      refresh,
    ]
  }
  const refresh = async (key: string) => {
    const ask = JSON.parse(key) as Ask
    const turn = ++turns
    const read = await readOne(client, placeOf, ask)
    if (closed) return
    store(key, ask, { ...read, turn })
    const { watched } = read
    if (watched !== undefined && !pushed.has(key)) {
      pushed.set(
        key,
        onPush(client, watched, () => again(key)),
      )
    }
  }
  /** At once, and off the stack of whoever says so. */
  const again = (key: string) => {
    const entry = kept.get(key)
    entry?.cancel()
    if (entry) entry.cancel = later(0, key, refresh)
  }
  const renew = async (key: string) => {
    const entry = kept.get(key)
    try {
      const body = { lease_id: entry?.leaseId }
      const { leaseSeconds, renewable } = await client.write('sys/leases/renew', body, {
        background: true,
      })
      // A lease that has met its maximum is not worth another renewal.
      if (entry && renewable && leaseSeconds > 1) {
        entry.cancel = later(leaseSeconds * RENEW_AT, key, renew)
        return
      }
    } catch (error) {
      const gone = [DeniedError, InvalidRequestError, MissingError].some((e) => error instanceof e)
      if (!gone) throw error
    }
    await refresh(key)
  }
  return {
    functions: reading(),
    noting() {
      const used = new Map<string, number>()
      return { functions: reading(used), used }
    },
    async fetch(key) {
      await refresh(key)
    },
    renewed() {
      for (const [key, { leaseId }] of kept) if (leaseId !== undefined) again(key)
    },
    close() {
      closed = true
      for (const { cancel } of kept.values()) cancel()
      for (const each of pushed.values()) each.stop()
    },
  }
}

function askOf(path: Value, pairs: readonly Value[]): Ask {
  const ask: Ask = { kind: 'secret', path: textOf(path) }
  if (pairs.length === 0) return ask
  const data = pairs.map((pair) => {
    const text = printed(pair)
    const equals = text.indexOf('=')
    if (equals < 1) throw new FunctionError('what follows the path must be of the form key=value')
    return [text.slice(0, equals), text.slice(equals + 1)] as const
  })
  return { ...ask, data: Object.fromEntries(data) }
}

function textOf(value: Value): string {
  if (typeof value === 'string' && value !== '') return value.replace(/^\/+/, '')
  throw new FunctionError('expected a path')
}

function environment(env: Options['env']): Functions {
  const of = (name: Value) => (typeof name === 'string' ? env[name] : undefined)
  return {
    env: (name) => of(name) ?? '',
    mustEnv(name) {
      const value = of(name)
      if (value === undefined) throw new FunctionError('the variable is not set')
      return value
    },
    envOrDefault: (name, fallback) => of(name) || fallback,
  }
}

/** `watched` = what a change of it is told under; `place` = what a rotation of it is called. */
type Read = { reply: Reply | undefined; value: Value; watched?: string; place?: string }
type Place = { path: string; watched: string | undefined }
type PlaceOf = (path: string, part: string) => Promise<Place>

async function readOne(client: Client, placeOf: PlaceOf, { kind, path, data }: Ask): Promise<Read> {
  // The agent's loop keeps the process alive; a look in between does not have to.
  const options = { background: true }
  if (kind === 'secrets') {
    const place = await placeOf(path, 'metadata')
    return { reply: undefined, value: await client.list(place.path, options) }
  }
  const [bare = '', search] = path.split('?')
  const query = Object.fromEntries(new URLSearchParams(search))
  if (data) {
    const reply = await client.write(path, data, options)
    return { reply, value: shapeOf(reply) }
  }
  const place = await placeOf(bare, 'data')
  const reply = await client.read(place.path, { ...options, query })
  // Without a word from the server on what is mounted there, it is told by the path itself.
  const named = place.watched ?? bare.replace(/^([^/]+)\/data\//, '$1/')
  const read = { reply, value: shapeOf(reply), place: named }
  // A version that was asked for by its number does not change.
  const isMoving = query['version'] === undefined
  const isTold = place.watched !== undefined || reply.generation !== undefined
  return isMoving && isTold ? { ...read, watched: named } : read
}

/** A secret as templates know it. */
function shapeOf(reply: Reply): ValueMap {
  return {
    LeaseID: reply.leaseId ?? '',
    LeaseDuration: reply.leaseSeconds,
    Renewable: reply.renewable,
    Data: (reply.data ?? {}) as ValueMap,
    Warnings: [...reply.warnings],
    ...(reply.auth && {
      Auth: { ClientToken: reply.auth.token.reveal(), Accessor: reply.auth.accessor },
    }),
    ...(reply.wrapInfo && { WrapInfo: { Token: reply.wrapInfo.token.reveal() } }),
  }
}

/** On KV version 2, `secret/app` is read at `secret/data/app`, as the command line has it too. */
function createPlaces(client: Client): PlaceOf {
  return async (path, part) => {
    const other: Place = { path, watched: undefined }
    try {
      const { data } = await client.read(`sys/internal/ui/mounts/${path}`, { background: true })
      const said = data?.['path']
      const mount = typeof said === 'string' ? said.replace(/\/$/, '') : ''
      const { version } = Object(data?.['options']) as { version?: unknown }
      const below = path.slice(mount.length + 1)
      if (data?.['type'] !== 'kv' || mount === '' || !path.startsWith(`${mount}/`)) return other
      if (version !== '2') return { path, watched: path }
      const bare = below.replace(/^(data|metadata)\//, '')
      return {
        path: bare === below ? `${mount}/${part}/${below}` : path,
        watched: `${mount}/${bare}`,
      }
    } catch (error) {
      // The policy may forbid the question; then the path is taken as it is.
      const answered = [DeniedError, InvalidRequestError, MissingError].some(
        (e) => error instanceof e,
      )
      if (answered) return other
      throw error
    }
  }
}
