/**
 * Requests to another server as an operator declares them: how a key is made there, proven, found
 * and taken away. Placeholders stand for values; where one may stand is decided here, once:
 * never in the scheme, host or port, so that no value can send a key somewhere else.
 *
 *   { create: { method, url, headers, body, value: "key.secret", id: "key.id" },
 *     verify: { url, headers }, delete: { method, url }, find: { url, list: "keys", match: "name", id: "id" } }
 */
import { refuse } from '../../../kit/kit.ts'
import { isObject } from '../../../lib/json.ts'
import { type Ask, outbound, OutboundError, type Told } from '../../../lib/outbound.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
type Method = (typeof METHODS)[number]

export type AskTemplate = {
  readonly method: Method
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Where in the answer's JSON something is, by names with dots. */
  readonly paths: Readonly<Record<string, string>>
}

export type Templates = Readonly<Record<string, AskTemplate>>
export type Values = Readonly<Record<string, string | undefined>>

const PLACEHOLDER = /\{\{\s*([\w.]+)\s*\}\}/g
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])
const PATHS = ['value', 'id', 'list', 'match'] as const
const CONTROL = /[\p{C}]/u

export function parseTemplates(given: unknown, allowed: readonly string[]): Templates {
  if (!isObject(given)) return refuse('template must be an object of requests')
  const parsed: Record<string, AskTemplate> = {}
  for (const [name, ask] of Object.entries(given)) {
    if (!allowed.includes(name)) refuse(`template takes ${allowed.join(', ')}, and no "${name}"`)
    parsed[name] = parseAsk(name, ask)
  }
  return parsed
}

function parseAsk(name: string, given: unknown): AskTemplate {
  if (!isObject(given)) return refuse(`template.${name} must be an object`)
  const { url, headers = {}, body } = given
  const method = METHODS.find((each) => each === (given['method'] ?? 'GET'))
  if (!method) return refuse(`template.${name}.method must be one of ${METHODS.join(', ')}`)
  if (typeof url !== 'string') return refuse(`template.${name}.url is missing`)
  checkUrl(name, url)
  if (!isObject(headers) || Object.values(headers).some((each) => typeof each !== 'string')) {
    return refuse(`template.${name}.headers must be an object of strings`)
  }
  const paths: Record<string, string> = {}
  for (const each of PATHS) {
    const path = given[each]
    if (typeof path === 'string') paths[each] = path
  }
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return {
    method,
    url,
    headers: headers as Record<string, string>,
    ...(text !== undefined && { body: text }),
    paths,
  }
}

/** Keys travel over TLS, or do not leave this machine. */
function checkUrl(name: string, url: string): void {
  const origin = /^https?:\/\/[^/?#]*/.exec(url)?.[0] ?? ''
  if (origin === '' || origin.includes('{') || origin.includes('@')) {
    refuse(`template.${name}.url must begin with https:// and a host without placeholders`)
  }
  const parsed = URL.parse(url.replaceAll(PLACEHOLDER, 'x'))
  if (!parsed || (parsed.protocol !== 'https:' && !LOOPBACK.has(parsed.hostname))) {
    refuse(`template.${name}.url must be https://, or http:// on this machine`)
  }
}

/** Sends it. Throws OutboundError, whose text holds nothing of what was sent. */
export async function send(
  template: AskTemplate,
  values: Values,
  signal: AbortSignal,
): Promise<Told> {
  if (signal.aborted) throw new OutboundError('was given up')
  const headers: Record<string, string> = {}
  for (const [name, text] of Object.entries(template.headers)) {
    headers[name] = filled(text, values, headerValue)
  }
  const ask: Ask = {
    url: filled(template.url, values, encodeURIComponent),
    method: template.method,
    headers: {
      ...(template.body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(template.body !== undefined && { body: filled(template.body, values, jsonText) }),
    timeoutMs: 15_000,
  }
  return outbound(ask)
}

function filled(text: string, values: Values, escape: (value: string) => string): string {
  return text.replaceAll(PLACEHOLDER, (_, name: string) => {
    const value = values[name]
    if (value === undefined)
      throw new OutboundError(`was to be told {{${name}}}, which is not known`)
    return escape(value)
  })
}

/** Inside a string of JSON, where a quote must not end it. */
const jsonText = (value: string) => JSON.stringify(value).slice(1, -1)

function headerValue(value: string): string {
  if (CONTROL.test(value))
    throw new OutboundError('was to be sent a header with control characters')
  return value
}

/** What lies at `key.items.0.name` of the answer's JSON; undefined where there is nothing. */
export function pick(from: unknown, path: string): unknown {
  let at = from
  for (const name of path.split('.').filter((each) => each !== '')) {
    if (Array.isArray(at)) at = at[Number(name)]
    else if (isObject(at) && Object.hasOwn(at, name)) at = at[name]
    else return undefined
  }
  return at
}

export function textAt(from: unknown, path: string | undefined): string | undefined {
  const found = path === undefined ? undefined : pick(from, path)
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined
}

export const succeeded = ({ status }: Told): boolean => status >= 200 && status < 300
