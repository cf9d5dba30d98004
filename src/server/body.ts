/**
 * Request bodies: read under a size limit, measured under a budget of depth and values, and only
 * then parsed. What is wrong is told by kind and position; the body itself is never quoted.
 */
import { type IncomingMessage } from 'node:http'
import { Failure, refuse } from '../kit/failure.ts'
import {
  checkJsonBudget,
  isObject,
  type JsonBudget,
  JsonBudgetError,
  parseJson,
} from '../lib/json.ts'

const SMALL_BYTES = 1024 * 1024

/**
 * A megabyte is plenty for a login, a policy or a mount. Only who shows a token may send a large
 * secret; nobody without one can make the server hold 32 MiB.
 */
export function bodyLimit(path: string, token: string | undefined, maxBytes: number): number {
  const small = token === undefined || /^(?:sys|auth)\//.test(path)
  return small ? Math.min(SMALL_BYTES, maxBytes) : maxBytes
}

export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Buffer | undefined> {
  // The length is announced: a body that is too large is not read at all.
  const announced = request.headers['content-length']
  if (announced !== undefined && Number(announced) > maxBytes) throw new Failure('too_large')
  if (announced === '0') return undefined
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Failure('unsupported_media_type', 'compressed request bodies are not supported')
  }
  const chunks: Buffer[] = []
  let bytes = 0
  return new Promise((done, failed) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) {
        chunks.push(chunk)
        return
      }
      request.pause()
      request.removeAllListeners('data')
      failed(new Failure('too_large'))
    })
    request.on('end', () => {
      if (bytes === 0) done(undefined)
      else done(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
    })
    request.on('error', () => failed(new Failure('bad_request', 'the request body was cut off')))
    request.on('close', () => failed(new Failure('bad_request', 'the request body was cut off')))
  })
}

const FORM = 'application/x-www-form-urlencoded'
const [OPEN_BRACE, OPEN_BRACKET] = [0x7b, 0x5b]
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The body's object. Empty and `null` bodies have no data. */
export function parseBody(
  body: Buffer,
  contentType: string,
  budget: JsonBudget,
): Record<string, unknown> {
  const first = body.find((byte) => byte > 0x20)
  if (first === undefined) return {}
  // `curl -d '{…}'` sends JSON under the form's content type.
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET && contentType.startsWith(FORM)) {
    return parseForm(body)
  }
  let value: unknown
  try {
    checkJsonBudget(body, budget)
    value = parseJson(utf8.decode(body))
  } catch (error) {
    return refuse(`failed to parse JSON input: ${jsonTrouble(error)}`)
  }
  if (value === null) return {}
  return isObject(value) ? value : refuse('failed to parse JSON input: expected an object')
}

/** JSON.parse quotes what it was given; only the position of the trouble may be told. */
function jsonTrouble(error: unknown): string {
  if (error instanceof JsonBudgetError) return error.message
  if (error instanceof SyntaxError) {
    const position = /at position (\d+)/.exec(error.message)?.[1]
    return position === undefined ? 'not valid JSON' : `not valid JSON at position ${position}`
  }
  return 'not valid UTF-8'
}

const FORM_FIELDS_MAX = 1000

function parseForm(body: Buffer): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  const form = new URLSearchParams(body.toString('utf8'))
  if (form.size > FORM_FIELDS_MAX) refuse(`more than ${FORM_FIELDS_MAX} form fields`)
  for (const name of new Set(form.keys())) data[name] = form.getAll(name).join(',')
  return data
}
