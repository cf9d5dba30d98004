/**
 * `fetch` with a key that is rotated: put into a header of each request, and asked for again when
 * the other side refuses it. The key goes to the origins that were named, and nowhere else.
 */
import { asyncDispose } from '../connect.ts'
import { ConfigError, InvalidRequestError } from '../errors.ts'
import { type Credential } from './credential.ts'
import { createRollover } from './rollover.ts'
import { rotatingCredential, type RotatingOptions } from './source.ts'

export type RotatingFetchOptions = RotatingOptions & {
  /** Where the key may go: `https://api.example`. */
  origin: string | readonly string[]
  /**
   * A header's name, or a function that makes headers. Default: `authorization: Bearer <key>`; a
   * name alone gets the key as it is.
   */
  header?: string | ((credential: Credential) => Record<string, string>) | undefined
  /** Used in place of the global `fetch`. */
  fetch?: Fetch | undefined
}
export type RotatingFetch = Fetch & {
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/**
 * `const fetch = await rotatingFetch('vault://secret/vendor#key', { origin: 'https://api.example' })`.
 * Redirects are not followed unless `redirect` is given: a header of one's own would go along. A
 * request whose body is a stream cannot be sent twice: its 401 is given as it is.
 */
export async function rotatingFetch(
  ref: string,
  options: RotatingFetchOptions,
): Promise<RotatingFetch> {
  const { origin, header, fetch: send = globalThis.fetch, ...own } = options
  const origins = new Set([origin].flat().map(originOf))
  const headersOf = typeof header === 'function' ? header : headerOf(header)
  const source = await rotatingCredential(ref, own)
  const rollover = createRollover(source, { retire: () => {} })

  const once = async (input: Parameters<Fetch>[0], init: RequestInit, credential: Credential) => {
    const free = rollover.hold(credential)
    try {
      const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : {}))
      for (const [name, value] of Object.entries(headersOf(credential))) headers.set(name, value)
      return await send(input, { ...init, headers })
    } finally {
      free()
    }
  }

  const rotating = async (input: Parameters<Fetch>[0], init: RequestInit = {}) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (!origins.has(url.origin)) {
      const hint = `the key is not for ${url.origin}: name it in "origin" if it is`
      throw new InvalidRequestError({ hint })
    }
    const call: RequestInit = { redirect: 'manual', ...init }
    const used = rollover.inUse
    const spare = input instanceof Request ? input.clone() : input
    const answer = await once(input, call, used)
    const isStream = !isPlain(call.body)
    if (answer.status !== 401 || isStream || !(await rollover.refused(used))) return answer
    // Read to its end, or the connection would not be free.
    await answer.body?.cancel()
    return once(spare, call, rollover.inUse)
  }
  const close = () => rollover.close()
  return Object.assign(rotating, { close, [asyncDispose]: close })
}

/** What can be sent a second time as it is. */
function isPlain(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string') return true
  const kinds = [ArrayBuffer, URLSearchParams, FormData, Blob]
  return ArrayBuffer.isView(body) || kinds.some((kind) => body instanceof kind)
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && url.origin === text.replace(/\/$/, '')) {
    return url.origin
  }
  const reason = 'must be a plain origin, such as https://api.example'
  throw new ConfigError([{ at: 'origin', reference: JSON.stringify(text), reason }])
}

function headerOf(name: string | undefined) {
  return ({ password }: Credential): Record<string, string> =>
    name === undefined
      ? { authorization: `Bearer ${password.reveal()}` }
      : { [name]: password.reveal() }
}
