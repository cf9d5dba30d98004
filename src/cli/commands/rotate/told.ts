/** What the server tells of a rotation, and how each part of it reads on a terminal. */
import { CliError } from '../../cli-error.ts'
import { type Context } from '../../command.ts'
import { humanDuration } from '../../go-text.ts'
import { type Method } from '../../http/api.ts'
import { trimSlashes } from '../../paths.ts'

export type HolderTold = {
  kind: string
  name: string
  app: string
  generation: number
  state: string
  since: string
  address: string
  blocks: boolean
  reason?: string
}

export type Told = {
  path: string
  kind: string
  target: string
  strategy: string
  state: string
  phase: string
  hold_reason: string
  hold_note: string
  generation: number
  previous_generation: number
  candidate_generation: number
  since: string
  last_rotation: string | null
  next_rotation: string | null
  next_try: string | null
  trouble: string
  drift: string
  holders: HolderTold[]
  history: { at: string; state: string; generation: number; note: string }[]
}

export type At = Pick<Context, 'api' | 'out' | 'args' | 'settings'>

export const pathArg = {
  name: 'path',
  help: 'What is rotated, as its readers name it: secret/app/db.',
} as const

export const WIDTH = 80

/** The path of a rotation as it was typed; `secret/data/app` of the API is meant as `secret/app`. */
export function pathOf({ args }: At): string {
  const path = trimSlashes(args[0] ?? '')
  if (path === '') throw new CliError('the path is empty')
  return path
}

type Asking = { method: Method; act: string; doing: string; body?: unknown }

/** Asks about one rotation. Undefined = there is none. */
export async function askAbout(at: At, { act, doing, ...ask }: Asking) {
  const path = pathOf(at)
  const secret = await at.api.secret({
    ...ask,
    path: `sys/coffer/rotate/${act}/${path}`,
    doing: `Error ${doing} ${path}`,
  })
  return secret?.data ?? undefined
}

export async function statusOf(at: At): Promise<Told> {
  const data = await askAbout(at, {
    method: 'GET',
    act: 'status',
    doing: 'reading the rotation of',
  })
  if (data) return data as unknown as Told
  throw noRotation(at)
}

export const noRotation = (at: At) =>
  new CliError(`No rotation at ${pathOf(at)}`, {
    exit: 2,
    hint: '"coffer rotate list" shows what is rotated',
  })

/** What came from elsewhere must not move the cursor of whoever looks at it. */
export const clean = (text: string): string => text.replace(/[\p{C}\u2028\u2029]/gu, '?')

/** At most so many columns, with a dot for what was cut off. */
export function cut(text: string, most: number): string {
  const chars = Array.from(clean(text))
  return chars.length <= most
    ? chars.join('')
    : `${chars.slice(0, Math.max(most - 1, 0)).join('')}…`
}

/** `HELD (drain)`, `DRAINING`. */
export const stateText = ({
  state,
  hold_reason: why,
}: Pick<Told, 'state' | 'hold_reason'>): string => (why === '' ? state : `${state} (${why})`)

const DAY = 86_400
const TEN_DAYS = 10 * DAY

/** `in 3h5m`, `12s ago`; the two largest units. */
export function when(time: string | null, now: number): string {
  if (time === null) return 'never'
  const seconds = Math.round((Date.parse(time) - now) / 1000)
  if (seconds === 0) return 'now'
  // What was set to 30 days a second ago is no 29.
  const ahead = seconds >= TEN_DAYS ? Math.round(seconds / DAY) * DAY : seconds
  return seconds < 0 ? `${shortDuration(-seconds)} ago` : `in ${shortDuration(ahead)}`
}

/** How long it has been so; clocks that differ a little make no negative time. */
export const age = (since: string, now: number): string =>
  shortDuration(Math.max(0, (now - Date.parse(since)) / 1000))

export function shortDuration(seconds: number): string {
  const days = Math.floor(seconds / 86_400)
  if (days >= 1) {
    const hours = Math.floor((seconds % 86_400) / 3_600)
    return hours > 0 && days < 10 ? `${days}d${hours}h` : `${days}d`
  }
  return humanDuration(seconds >= 3_600 ? Math.floor(seconds / 60) * 60 : Math.floor(seconds))
}
