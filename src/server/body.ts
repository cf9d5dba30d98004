/**
 * Request bodies: read under a size limit, measured under a budget of depth and values, and only
 * then parsed. What is wrong is told by kind and position; the body itself is never quoted.
 */
import type { IncomingMessage } from 'node:http'
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

/** Every request may hold this much; what is above it comes out of one store for all. */
const FREE_BYTES = 64 * 1024

/** What the body of one request has taken of the memory for all bodies. */
export type Hold = {
  /** Whether a body may have so many bytes; what it had taken before is counted in. */
  upTo(bytes: number): boolean
  release(): void
}

/**
 * The memory for all bodies that are being read or worked on. Anyone may open many connections and
 * show something that looks like a token; together they must not outgrow the process.
 */
export class BodyMemory {
  #left: number

  constructor(bytesMax: number) {
    this.#left = bytesMax
  }

  hold(): Hold {
    let taken = 0
    return {
      upTo: (bytes) => {
        const more = Math.max(bytes - FREE_BYTES - taken, 0)
        if (more > this.#left) return false
        this.#left -= more
        taken += more
        return true
      },
      release: () => {
        this.#left += taken
        taken = 0
      },
    }
  }
}

/** The body, or undefined when there is none. Rejects with a Failure when it is not to be had. */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  hold: Hold,
): Promise<Buffer | undefined> {
  // The length is announced: a body that is too large is not read at all.
  const announced = request.headers['content-length']
  if (announced !== undefined && Number(announced) > maxBytes) throw new Failure('too_large')
  if (announced === '0') return undefined
  // Over before anyone listened: neither a length nor chunks were announced, and no event comes.
  if (request.readableEnded) return undefined
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Failure('unsupported_media_type', 'compressed request bodies are not supported')
  }
  let whole: Buffer = Buffer.alloc(0)
  let bytes = 0
  return new Promise((done, failed) => {
    const stop = (failure: Failure) => {
      request.pause()
      request.removeAllListeners('data')
      failed(failure)
    }
    request.on('data', (chunk: Buffer) => {
      const before = bytes
      bytes += chunk.length
      if (bytes > maxBytes) return stop(new Failure('too_large'))
      if (!hold.upTo(bytes)) return stop(new Failure('overloaded'))
      // Most bodies are one chunk. A client can also send a byte in each, and a list of a million
      // buffers is a hundred times as large as what is in them; so they are copied together.
      if (before === 0) {
        whole = chunk
        return
      }
      if (bytes > whole.length) {
        const next = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(bytes * 2, 8 * 1024)))
        whole.copy(next, 0, 0, before)
        whole = next
      }
      chunk.copy(whole, before)
    })
    // Every request closes in the end: only one that has not ended was cut off.
    const cut = () => failed(new Failure('bad_request', 'the request body was cut off'))
    request.on('end', () => {
      request.off('close', cut)
      done(bytes === 0 ? undefined : whole.subarray(0, bytes))
    })
    request.on('error', cut)
    request.on('close', cut)
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
  const first = firstByte(body)
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

/** The first byte that is not white space. A loop: a callback for each of 32 MiB takes 300 ms. */
function firstByte(body: Buffer): number | undefined {
  for (let at = 0; at < body.length; at++) if (body[at]! > 0x20) return body[at]
  return undefined
}

const FORM_FIELDS_MAX = 1000
const AMPERSAND = 0x26

function parseForm(body: Buffer): Record<string, unknown> {
  // Counted before anything is parsed: 32 MiB can hold 16 million fields.
  let fields = 1
  for (let at = body.indexOf(AMPERSAND); at >= 0; at = body.indexOf(AMPERSAND, at + 1)) {
    if (++fields > FORM_FIELDS_MAX) refuse(`more than ${FORM_FIELDS_MAX} form fields`)
  }
  const form = new URLSearchParams(body.toString('utf8'))
  const names = [...new Set(form.keys())]
  return Object.fromEntries(names.map((name) => [name, form.getAll(name).join(',')]))
}
