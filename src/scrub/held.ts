/**
 * Scrubbing what comes in pieces. What may be the beginning of a secret is held back until more has
 * come: the beginning of a known value, to the byte; and for the rules, a line that has not ended. How
 * much is held has a limit, and what was held too long is let go without being forgotten: when the
 * rest of a secret comes, the rest is cut.
 *
 *   buffer   [ let go already | held back ]
 *              ^ 0              ^ sent
 */
import { type Cut, replaced, type Scrubber } from './scrubber.ts'

/** Of a line without an end, and of a key without its last line. */
const LINE_MAX = 8 * 1024
const KEY_MAX = 16 * 1024
/** A token at the end of a part of a very long line. */
const TAIL_MAX = 512
/** So much of the beginning of a known value is no coincidence, and waits for the rest. */
const TELLING_MIN = 4
const NEWLINE = 10

export type Held = {
  /** What may be printed now. */
  push(chunk: Uint8Array): Uint8Array
  /** Nothing has come for a while: lets go of what is no known value so far. */
  letGo(): Uint8Array
  /** Nothing will come any more. */
  end(): Uint8Array
  /** Bytes that are held back. */
  readonly waiting: number
}

export function held(scrubber: Scrubber, { rules }: { rules: boolean }): Held {
  let buffer: Buffer = Buffer.alloc(0)
  let sent = 0
  /** What was printed last is a label. */
  let covered = false

  /** Prints up to `until` and keeps what is after `keep`. */
  function print(cuts: readonly Cut[], until: number, keep: number): Uint8Array {
    const out = replaced(buffer, cuts, { from: sent, to: until, covered })
    let told = Math.max(sent, until)
    if (told > sent) covered = false
    for (const { start, end } of cuts) {
      if (start >= until || end < told || end <= sent) continue
      told = end
      covered = true
    }
    buffer = buffer.subarray(keep)
    sent = told - keep
    return out
  }

  function work(rulesTo: number, ruleHold: number): { cuts: Cut[]; until: number } {
    const cuts = scrubber.cuts(buffer, { rulesFrom: 0, rulesTo })
    return { cuts, until: Math.min(scrubber.mayBegin(buffer, 0), ruleHold) }
  }

  return {
    push(chunk) {
      // One copy: what was given may be written to again by whoever gave it.
      buffer = Buffer.concat([buffer, chunk])
      const hold = rules ? holdForRules(buffer) : buffer.length
      const { cuts, until } = work(rules ? hold : 0, hold)
      return print(cuts, until, until)
    },
    letGo() {
      if (sent >= buffer.length || holdsKey(buffer)) return EMPTY
      const { cuts, until } = work(rules ? buffer.length : 0, buffer.length)
      const begun = buffer.length - until
      // The line stays in the buffer: the rules will see it again, whole.
      return print(cuts, begun >= TELLING_MIN ? until : buffer.length, 0)
    },
    end() {
      const { cuts } = work(rules ? buffer.length : 0, buffer.length)
      return print(cuts, buffer.length, buffer.length)
    },
    get waiting() {
      return Math.max(0, buffer.length - sent)
    },
  }
}

const EMPTY = Buffer.alloc(0)

/** From where on the rules need more: an open key, or the line that has not ended. */
function holdForRules(buffer: Buffer): number {
  const key = openKey(buffer)
  if (key >= 0) return key
  const line = buffer.lastIndexOf(NEWLINE) + 1
  if (buffer.length - line <= LINE_MAX) return line
  // A line without an end: the last token of it may go on.
  const tail = buffer.subarray(-TAIL_MAX).toString('latin1')
  const gap = tail.search(/[\s"',;&<>][^\s"',;&<>]*$/)
  return buffer.length - tail.length + (gap < 0 ? 0 : gap + 1)
}

const BEGIN = '-----BEGIN '
const holdsKey = (buffer: Buffer) => openKey(buffer) >= 0

/** Where a private key begins whose last line has not come yet; -1 = there is none. */
function openKey(buffer: Buffer): number {
  const at = buffer.lastIndexOf(BEGIN)
  if (at < 0 || buffer.length - at > KEY_MAX) return -1
  const text = buffer.subarray(at).toString('latin1')
  if (!/^-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/.test(text)) return -1
  if (text.includes('-----END ')) return -1
  const lines = text.split('\n').slice(1)
  const isBody = (line: string) => /^(?:\s*[\w+/=\\-]{0,100}\s*|[\w-]{1,30}: .{0,100})$/.test(line)
  if (!lines.every(isBody)) return -1
  return buffer.lastIndexOf(NEWLINE, at) + 1
}
