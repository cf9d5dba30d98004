/**
 * The bytes of an answer: Vault's envelope, errors in Vault's exact forms, and nothing else. Only
 * here does the wire's wording of success and failure exist.
 */
import { Failure } from '../kit/failure.ts'
import { JsonText } from '../kit/json-text.ts'
import { type Reply } from '../kit/reply.ts'
import { StoreConflict } from '../storage/store.ts'
import { isListing, type Response, type Turn } from './turn.ts'
import { shownType } from './mounts.ts'

const JSON_TYPE = 'application/json'

/** What may be said about a failure: never the text of an error that is not ours. */
export function errorText(error: unknown): string {
  if (error instanceof Failure) return error.message
  return 'internal error'
}

/** Anything that is not a Failure is ours to find in the log, by the request's id. */
export function failureOf(error: unknown, requestId: string): Failure {
  if (error instanceof Failure) return error
  if (error instanceof StoreConflict) return new Failure('conflict')
  return new Failure('internal', `internal error (request ${requestId})`, { cause: error })
}

/** Go's multi-error form, which suites match on. */
const wrapped = (text: string) => `1 error occurred:\n\t* ${text}\n\n`

export function failureResponse(failure: Failure): Response {
  const text = failure.wrapped ? wrapped(failure.message) : failure.message
  const errors = failure.message === '' ? [] : [text]
  return json(failure.status, JSON.stringify({ errors }))
}

export function json(status: number, text: string): Response {
  return { status, contentType: JSON_TYPE, body: `${text}\n` }
}

export function response(turn: Turn): Response {
  const made = madeResponse(turn)
  if (turn.headers) made.headers = { ...turn.headers, ...made.headers }
  return made
}

function madeResponse(turn: Turn): Response {
  const { reply, request } = turn
  if (turn.refusal) {
    const failure = failureOf(turn.refusal, request.id)
    const bearer = turn.match?.endpoint.bearer && failure.code === 'permission_denied'
    return bearer ? invalidBearer() : failureResponse(failure)
  }
  const made = reply ? replyResponse(turn, reply) : emptyResponse(turn)
  if (reply?.headers) made.headers = reply.headers
  return made
}

/** RFC 6750, section 3.1. */
function invalidBearer(): Response {
  const [error, text] = ['invalid_token', 'permission denied']
  const headers = {
    'WWW-Authenticate': `Bearer error="${error}",error_description="${text}"`,
  }
  return { ...json(401, JSON.stringify({ error, error_description: text })), headers }
}

/** Nothing to say: 204 for a change, 404 for a question. */
function emptyResponse(turn: Turn): Response {
  const question = turn.operation === 'read' || isListing(turn.operation)
  if (question) return json(404, '{"errors":[]}')
  return { status: 204, contentType: JSON_TYPE, body: '' }
}

function replyResponse(turn: Turn, reply: Reply): Response {
  if (reply.bare !== undefined) return json(reply.status ?? 200, JSON.stringify(reply.bare))
  if (reply.raw) {
    return { status: reply.status ?? 200, contentType: reply.raw.contentType, body: reply.raw.body }
  }
  if (reply.stream) {
    const contentType = reply.streamType ?? 'text/plain'
    return { status: 200, contentType, body: '', stream: reply.stream }
  }
  if (reply.envelope) return json(reply.status ?? 200, JSON.stringify(reply.envelope))
  if (reply.status === 204) return { status: 204, contentType: JSON_TYPE, body: '' }
  if (isEmptyList(turn, reply)) return json(404, '{"errors":[]}')
  const hasContent =
    reply.data !== undefined ||
    reply.auth !== undefined ||
    reply.leased !== undefined ||
    reply.wrapInfo !== undefined ||
    reply.warnings !== undefined ||
    reply.status !== undefined
  return hasContent ? json(reply.status ?? 200, envelopeText(turn, reply)) : emptyResponse(turn)
}

function isEmptyList(turn: Turn, reply: Reply): boolean {
  if (!isListing(turn.operation) || reply.warnings || reply.wrapInfo) return false
  if (reply.data === undefined) return true
  if (reply.data instanceof JsonText) return false
  const { keys, ...others } = reply.data
  return (!Array.isArray(keys) || keys.length === 0) && Object.keys(others).length === 0
}

export function envelopeText(turn: Turn, reply: Reply): string {
  const { data, auth, warnings, leased, wrapInfo } = reply
  const dataText =
    data === undefined ? 'null' : data instanceof JsonText ? data.text : JSON.stringify(data)
  // A wrapped answer tells nothing about the request that made it.
  const id = wrapInfo ? '' : turn.request.id
  const duration = leased?.seconds ?? reply.leaseSeconds ?? 0
  let text =
    `{"request_id":"${id}","lease_id":${leased ? JSON.stringify(leased.id) : '""'}` +
    `,"renewable":${leased?.renewable ?? false},"lease_duration":${duration},"data":${dataText}` +
    `,"wrap_info":${wrapInfo ? JSON.stringify(wrapInfo) : 'null'}` +
    `,"warnings":${warnings ? JSON.stringify(warnings) : 'null'}` +
    `,"auth":${auth ? JSON.stringify(auth) : 'null'},"mount_type":"${turn.mount ? shownType(turn.mount.entry) : ''}"`
  if (turn.match?.endpoint.injected && data && !(data instanceof JsonText)) text += injected(data)
  return `${text}}`
}

const ENVELOPE_KEYS = new Set([
  'request_id',
  'lease_id',
  'renewable',
  'lease_duration',
  'data',
  'wrap_info',
  'warnings',
  'auth',
  'mount_type',
])

function injected(data: Record<string, unknown>): string {
  let text = ''
  for (const [name, value] of Object.entries(data)) {
    if (ENVELOPE_KEYS.has(name) || value === undefined) continue
    text += `,${JSON.stringify(name)}:${JSON.stringify(value)}`
  }
  return text
}
