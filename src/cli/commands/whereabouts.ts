/**
 * What the server knows of a secret that has turned up, in words: asked by its place, or by the
 * accessor that a token carries. No value is sent.
 */
import { isObject, type JsonObject } from '../../lib/json.ts'
import { type Api } from '../http/api.ts'
import { ApiFailure } from '../http/failure-text.ts'

export type Known = {
  readonly path: string
  readonly version: number
  readonly lease?: string | undefined
}

/** Undefined = the server does not tell: there is nothing, or the caller may not know. */
export async function whereaboutsOf(api: Api, known: Known): Promise<JsonObject | undefined> {
  const { path, version, lease = '' } = known
  return quietly(async () => {
    const body = { path, version, lease }
    const doing = `Error asking about ${path}`
    const asked = {
      method: 'PUT',
      path: 'sys/coffer/whereabouts',
      body,
      doing,
      aside: true,
    } as const
    return (await api.secret(asked))?.data ?? undefined
  })
}

/** Of a service token, by the accessor in it. */
export async function tokenByAccessor(api: Api, accessor: string): Promise<string[]> {
  const data = await quietly(async () => {
    const [path, body] = ['auth/token/lookup-accessor', { accessor }]
    const doing = 'Error asking about a token'
    return (await api.secret({ method: 'PUT', path, body, doing, aside: true }))?.data ?? undefined
  })
  if (!data) return []
  const until = textOf(data['expire_time'])
  const policies = listOf(data['policies']).map(String).join(', ')
  return [
    `token: live, ${textOf(data['display_name']) || 'without a name'}, policies ${policies}`,
    `token: ${until === '' ? 'it never ends' : `ends ${until}`}, accessor ${accessor}`,
  ]
}

/** A server that refuses has said what it will say; one that cannot be reached is another matter. */
async function quietly<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ApiFailure) return undefined
    throw error
  }
}

/** One line for each thing that is known. */
export function wordsOf(about: JsonObject): string[] {
  const lines: string[] = []
  const { current_version: newest, changed_time: changed } = about
  const state =
    about['live'] === null ? 'unknown' : about['live'] === true ? 'live' : 'not served any more'
  const facts = [
    `now: ${state}`,
    ...(typeof newest === 'number' ? [`version ${newest} is the newest`] : []),
    ...(typeof changed === 'string' ? [`of ${changed}`] : []),
  ]
  lines.push(facts.join(', '))
  const read = about['last_read']
  const since = about['no_read_since']
  if (isObject(read)) {
    const by = textOf(read['display_name']) || 'a token without a name'
    const from = textOf(read['remote_address'])
    lines.push(`last read: ${textOf(read['time'])} by ${by}${from === '' ? '' : ` from ${from}`}`)
  } else if (typeof since === 'string') lines.push(`last read: not since ${since}`)
  const may = about['may_read']
  if (isObject(may)) lines.push(`may read: ${readers(may)}`)
  return lines
}

const NAMES_MAX = 6

function readers(may: JsonObject): string {
  const tokens = listOf(may['tokens']).map((each) => textOf(each['display_name']) || 'a token')
  const holders = [...listOf(may['entities']), ...listOf(may['groups'])].map((each) =>
    textOf(each['name']),
  )
  const more = may['more_tokens'] === true ? '+' : ''
  const names = [...new Set([...holders, ...tokens])].filter((name) => name !== '')
  const shown = names.slice(0, NAMES_MAX).join(', ') + (names.length > NAMES_MAX ? ', …' : '')
  const policies = listOf(may['policies']).map(String).join(', ')
  const count = `${tokens.length}${more} ${tokens.length === 1 && more === '' ? 'token' : 'tokens'}`
  return `${count}${shown === '' ? '' : ` (${shown})`}, by policies ${policies || 'none'}`
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
const listOf = (value: unknown): JsonObject[] =>
  Array.isArray(value) ? (value as JsonObject[]) : []
