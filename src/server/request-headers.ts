/**
 * The headers that mean something here, read in one pass over the raw ones; `request.headers` would
 * build an object of all of them. Where a name comes twice, the first counts.
 */
import { Failure, refuse } from '../kit/failure.ts'

export type RequestHeaders = {
  token: string | undefined
  contentType: string
  wrapTtl: string | undefined
  wrapFormat: string | undefined
  namespace: string | undefined
  vaultRequest: boolean
  hosts: number
  transferEncoding: string | undefined
}

const TOKEN_BYTES_MAX = 8 * 1024

/** From node's flat list: name, value, name, value … */
export function readHeaders(raw: readonly string[]): RequestHeaders {
  const found: RequestHeaders = {
    token: undefined,
    contentType: '',
    wrapTtl: undefined,
    wrapFormat: undefined,
    namespace: undefined,
    vaultRequest: false,
    hosts: 0,
    transferEncoding: undefined,
  }
  let bearer: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') found.hosts++
        break
      case 12:
        if (name.toLowerCase() === 'content-type') found.contentType ||= value
        break
      case 13:
        if (name.toLowerCase() === 'x-vault-token') found.token ??= value
        else if (bearer === undefined && value.startsWith('Bearer ')) {
          if (name.toLowerCase() === 'authorization') bearer = value.slice('Bearer '.length)
        }
        break
      case 15:
        if (name.toLowerCase() === 'x-vault-request') found.vaultRequest = value === 'true'
        break
      case 16:
        if (name.toLowerCase() === 'x-vault-wrap-ttl') found.wrapTtl ??= value
        break
      case 17:
        if (name.toLowerCase() === 'x-vault-namespace') found.namespace ??= value
        else if (name.toLowerCase() === 'transfer-encoding') found.transferEncoding ??= value
        break
      case 19:
        if (name.toLowerCase() === 'x-vault-wrap-format') found.wrapFormat ??= value
        break
    }
  }
  found.token ||= bearer
  return found
}

/** What is wrong with the frame of a request: what a proxy could see in another way than we do. */
export function frameTrouble(headers: RequestHeaders, httpVersion: string): string | undefined {
  // The parser takes 0.9 and 2.0 as well, whose frames are others.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'expected HTTP/1.1'
  if (headers.hosts > 1 || (headers.hosts === 0 && httpVersion === '1.1')) {
    return 'expected one Host header'
  }
  // `gzip, chunked` is framed like `chunked` but holds something else.
  return headers.transferEncoding === undefined || /^chunked$/i.test(headers.transferEncoding)
    ? undefined
    : 'the only transfer encoding that is supported is chunked'
}

/** Refuses what must not be understood in two ways, and what the listener insists on. */
export function checkHeaders(
  headers: RequestHeaders,
  request: { httpVersion: string; requireRequestHeader: boolean },
): void {
  const trouble = frameTrouble(headers, request.httpVersion)
  if (trouble) refuse(trouble)
  if (request.requireRequestHeader && !headers.vaultRequest) {
    throw new Failure('precondition_failed', 'missing X-Vault-Request header')
  }
  if (headers.token !== undefined && headers.token.length > TOKEN_BYTES_MAX) {
    throw new Failure('permission_denied')
  }
}
