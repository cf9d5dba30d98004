/**
 * The one place where a URL becomes a path. Two spellings of one path are how vaults get opened, so
 * there is one: decoded once, no relative or empty segments, no control or format characters, no
 * encoded slash or dot left inside. Whatever else arrives is refused before anyone is asked who
 * they are.
 */
import { Failure } from '../kit/failure.ts'

declare const canonical: unique symbol
/** A path without its leading slash, as policies and mounts name it. */
export type CanonicalPath = string & { readonly [canonical]: true }

/** The usual path: nothing in it needs decoding. */
const PLAIN = /^[\w/=+:@,~!$&'()*;.-]*$/
/** A dot, slash, backslash, percent or NUL that was encoded twice. */
const STILL_ENCODED = /%(?:2e|2f|5c|25|00)/i
/** Control, format, unassigned and private characters, and every space but the ordinary one. */
const UNPRINTABLE = /[\p{C}\u2028\u2029]|(?! )\p{Z}/u
const PATH_LENGTH_MAX = 4096

export function canonicalPath(urlPath: string): CanonicalPath {
  if (urlPath.length > PATH_LENGTH_MAX) throw new Failure('bad_request', 'path is too long')
  let path = urlPath
  if (!PLAIN.test(urlPath)) {
    if (/%(?:2f|5c)/i.test(urlPath)) {
      throw new Failure('bad_request', 'encoded slashes in paths are not supported')
    }
    try {
      path = decodeURIComponent(urlPath)
    } catch {
      throw new Failure('bad_request', 'the path is not valid percent-encoded UTF-8')
    }
    if (UNPRINTABLE.test(path) || STILL_ENCODED.test(path) || path.includes('\\')) {
      throw new Failure('bad_request', 'the path contains characters that are not allowed')
    }
  }
  checkSegments(path)
  return path as CanonicalPath
}

/**
 * The namespace a header names, without the slashes around it; undefined = the root. It is no URL:
 * what is encoded in it would be a second spelling, and is refused.
 */
export function canonicalNamespace(header: string | undefined): CanonicalPath | undefined {
  if (header === undefined) return undefined
  let [from, to] = [0, header.length]
  while (header[from] === '/') from++
  while (to > from && header[to - 1] === '/') to--
  if (to === from) return undefined
  // Bytes of UTF-8, which HTTP hands over one by one.
  const text = Buffer.from(header.slice(from, to), 'latin1').toString()
  if (text === 'root') return undefined
  if (text.length > PATH_LENGTH_MAX) throw new Failure('bad_request', 'namespace is too long')
  if (text.includes('%') || text.includes('\ufffd')) {
    throw new Failure('bad_request', 'the namespace contains characters that are not allowed')
  }
  return canonicalInput(text)
}

/** A path that arrives in a body (a mount's path, a policy's name) obeys the same rules. */
export function canonicalInput(path: string): CanonicalPath {
  if (UNPRINTABLE.test(path) || path.includes('\\')) {
    throw new Failure('bad_request', 'the path contains characters that are not allowed')
  }
  checkSegments(path)
  return path as CanonicalPath
}

function checkSegments(path: string): void {
  if (path.startsWith('/') || path.includes('//')) {
    throw new Failure('bad_request', 'empty path segments are not supported')
  }
  if (path.includes('.') && path.split('/').some((part) => part === '.' || part === '..')) {
    throw new Failure('bad_request', 'relative paths not supported')
  }
}
