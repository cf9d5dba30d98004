/**
 * Reads what the server said: a body, or an error. The server may quote what it was sent, and the
 * JSON parser quotes what it reads, so everything that ends up in a message is cleaned here.
 */
import { Secret } from '../lib/secret.ts'
import { type CofferError, errorFor, NetworkError, UnavailableError } from './errors.ts'
import { parseJson } from './json.ts'
import { type Incoming, type TransportFault } from './transport.ts'

/** What the messages and the cleaning need to know of a call. */
type Asked = {
  method: string
  path: string
  query?: unknown
  body?: unknown
  token?: Secret | undefined
}

/** `Retry-After` in seconds or as a date; 0 when there is none. */
export function retryAfterMs({ header }: Incoming): number {
  const text = header('retry-after')
  if (text === undefined) return 0
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : 0
}

type Body = Record<string, unknown> | undefined

export function bodyOf({ text }: Incoming, call: Asked): Body {
  if (text.trim() === '') return undefined
  const body = parsed(text)
  if (body) return body
  // The parser's own error would quote the answer.
  const facts = { method: call.method, path: shownPath(call.path) }
  throw new UnavailableError({
    ...facts,
    hint: 'the answer is not JSON: is this the right address',
  })
}

function parsed(text: string): Body {
  try {
    const value = parseJson(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

export function failure({ status, text }: Incoming, call: Asked): CofferError {
  const body = parsed(text)
  const texts = [body?.['errors'], body?.['warnings']]
    .flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []))
    .filter((entry) => typeof entry === 'string')
  const hint = body === undefined && text !== '' ? 'the answer is not JSON' : goneVersion(body)
  const facts = {
    method: call.method,
    path: shownPath(call.path),
    status,
    errors: withoutSecrets(texts, call),
    ...(hint === undefined ? {} : { hint }),
  }
  return errorFor(facts, texts)
}

/** KV v2 answers 404 with the version's metadata when it was deleted or destroyed. */
function goneVersion(body: Body): string | undefined {
  const data = body?.['data'] as { metadata?: Record<string, unknown> } | null | undefined
  const version = data?.metadata?.['version']
  if (typeof version !== 'number') return undefined
  return `version ${version} ${data?.metadata?.['destroyed'] === true ? 'is destroyed' : 'is deleted'}`
}

export function networkError({ cause }: TransportFault, call: Asked): NetworkError {
  // The code only: a message of someone else's making could quote a header.
  const { code, name } = Object(cause) as { code?: unknown; name?: unknown }
  const why = [code, name].find((text) => typeof text === 'string') ?? 'connection lost'
  const hint = `no answer from the server (${why})`
  return new NetworkError({ method: call.method, path: shownPath(call.path), hint, cause })
}

/** Old endpoints carry a token in the path. */
export function shownPath(path: string): string {
  return path.replace(/\b(?:hv[sbr]|[sbr])\.[\w-]{20,}/g, '[token]')
}

/** Shorter texts stay: cutting every "kv" or "1" out of a message would leave no message. */
const SHOWN_CHARS_MAX = 3

/** A server may quote what it was sent: every value that was sent goes, and all that looks a token. */
function withoutSecrets(texts: readonly string[], call: Asked): string[] {
  const sent = [...leaves([call.body, call.query, call.token])]
    .filter((value) => value.length > SHOWN_CHARS_MAX)
    .sort((a, b) => b.length - a.length)
  return texts.map((text) =>
    shownPath(sent.reduce((t, value) => t.split(value).join('[redacted]'), text)),
  )
}

function* leaves(value: unknown): Generator<string> {
  const open = value instanceof Secret ? (value.reveal() as unknown) : value
  if (typeof open === 'string' || typeof open === 'number' || typeof open === 'bigint') {
    yield String(open)
  } else if (typeof open === 'object' && open !== null) {
    for (const entry of Object.values(open)) yield* leaves(entry)
  }
}
