/**
 * Names on disk. Each path segment is encrypted deterministically (the same name in the same folder
 * always looks the same, so keys can be found and folders listed) in the manner of a synthetic IV:
 *
 *   iv = HMAC-SHA256(k1, folder ‖ 0 ‖ segment)[0..16]     segment' = base64url(iv ‖ AES-CTR(k2, iv, segment))
 *
 * The iv authenticates the name and binds it to its folder. What a thief of the file still sees:
 * the shape of the tree, how long names are, and which folders changed when.
 */
import { timingSafeEqual } from 'node:crypto'
import { deriveKey, TamperedError } from '../crypto/aead.ts'
import { counterMode } from '../crypto/counter-mode.ts'
import { hmac } from '../crypto/hmac.ts'

const IV_BYTES = 16
/** Rooms whose names come from us (times, counters, digests), and which must sort on disk. */
const CLEAR = /^due\//
const MEMO_MAX = 20_000

export type Names = {
  /** The store's key of a path. */
  hide: (path: string) => string
  /** The name that was hidden under a folder path ('' or ending in '/'); keeps a trailing slash. */
  show: (folder: string, hidden: string) => string
}

export function names(key: Uint8Array): Names {
  const mac = hmac('sha256', deriveKey(key, 'names/iv/v1'))
  const stream = counterMode(deriveKey(key, 'names/cipher/v1'))
  // Two generations: when the young one is full it becomes the old one, and the old one is dropped.
  let young = new Map<string, string>()
  let old = new Map<string, string>()
  /** Names that were shown, by folder and hidden name; a folder is listed more than once. */
  let shown = new Map<string, string>()

  const ivOf = (folder: string, segment: string) =>
    Buffer.from(mac(`${folder}\0${segment}`, 'latin1').slice(0, IV_BYTES), 'latin1')

  function hideSegment(folder: string, segment: string): string {
    const iv = ivOf(folder, segment)
    return Buffer.concat([iv, stream(iv, Buffer.from(segment))]).toString('base64url')
  }

  function hide(path: string): string {
    if (path === '' || CLEAR.test(path)) return path
    const known = young.get(path) ?? old.get(path)
    if (known !== undefined) return known
    const slash = path.endsWith('/') ? path.length - 1 : -1
    const cut = path.lastIndexOf('/', slash < 0 ? undefined : slash - 1) + 1
    const folder = path.slice(0, cut)
    const segment = path.slice(cut, slash < 0 ? undefined : slash)
    const parent = folder === '' ? 'd/' : hide(folder)
    const hidden = `${parent}${hideSegment(folder, segment)}${slash < 0 ? '' : '/'}`
    if (young.size >= MEMO_MAX) {
      old = young
      young = new Map()
    }
    young.set(path, hidden)
    return hidden
  }

  return {
    hide,
    show(folder, hidden) {
      if (CLEAR.test(folder)) return hidden
      const memo = `${folder}\0${hidden}`
      const known = shown.get(memo)
      if (known !== undefined) return known
      const name = showSegment(folder, hidden)
      if (shown.size >= MEMO_MAX) shown = new Map()
      shown.set(memo, name)
      return name
    },
  }

  function showSegment(folder: string, hidden: string): string {
    const isFolder = hidden.endsWith('/')
    const bytes = Buffer.from(isFolder ? hidden.slice(0, -1) : hidden, 'base64url')
    const iv = bytes.subarray(0, IV_BYTES)
    const segment = stream(iv, bytes.subarray(IV_BYTES)).toString('utf8')
    if (!timingSafeEqual(iv, ivOf(folder, segment))) {
      throw new TamperedError('a stored name does not authenticate')
    }
    return isFolder ? `${segment}/` : segment
  }
}
