/**
 * A stream that lets everything pass but the given values. A value may be cut anywhere by the
 * chunks, so what could still become one waits, and nothing else does: a prompt without a newline
 * comes out at once. At most one byte less than the longest value is held back.
 */
import { Transform } from 'node:stream'

export type NamedValue = { readonly value: string; readonly name: string }

/** Shorter values stay: cutting every "a" or "80" out of a text would leave no text. */
export const REDACTED_CHARS_MIN = 4

type Needle = { readonly bytes: Buffer; readonly mark: Buffer }
type Span = { start: number; end: number; readonly mark: Buffer }

/** Replaces each value by `[redacted NAME]`. Values that overlap in the text are replaced as one. */
export function redactStream(values: Iterable<NamedValue>): Transform {
  const needles = needlesOf(values)
  let held: Buffer = Buffer.alloc(0)
  /** So many bytes at the start of `held` belong to a value whose mark is already out. */
  let covered = 0
  const next = (text: Buffer, ended: boolean): Buffer => {
    const cut = ended ? text.length : pendingFrom(text, needles)
    const out: Buffer[] = []
    let at = covered
    for (const { start, end, mark } of spansOf(text, needles)) {
      if (start >= cut) break
      if (start >= at) out.push(text.subarray(at, start), mark)
      at = Math.max(at, end)
    }
    if (at < cut) out.push(text.subarray(at, cut))
    held = text.subarray(cut)
    covered = Math.max(0, at - cut)
    return Buffer.concat(out)
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, next(held.length === 0 ? chunk : Buffer.concat([held, chunk]), false))
    },
    flush(done) {
      done(null, next(held, true))
    },
  })
}

function needlesOf(values: Iterable<NamedValue>): Needle[] {
  const byValue = new Map<string, string>()
  for (const { value, name } of values) {
    if (value.length >= REDACTED_CHARS_MIN && !byValue.has(value)) byValue.set(value, name)
  }
  return [...byValue].map(([value, name]) => ({
    bytes: Buffer.from(value),
    mark: Buffer.from(`[redacted ${name}]`),
  }))
}

/** Where values stand, from the left; those that overlap are one span with the first one's mark. */
function spansOf(text: Buffer, needles: readonly Needle[]): Span[] {
  const found: Span[] = []
  for (const { bytes, mark } of needles) {
    for (let at = text.indexOf(bytes); at !== -1; at = text.indexOf(bytes, at + 1)) {
      found.push({ start: at, end: at + bytes.length, mark })
    }
  }
  found.sort((a, b) => a.start - b.start || b.end - a.end)
  const spans: Span[] = []
  for (const span of found) {
    const last = spans.at(-1)
    if (last && span.start < last.end) last.end = Math.max(last.end, span.end)
    else spans.push(span)
  }
  return spans
}

/** Where the longest end of the text begins that is the beginning of a value. */
function pendingFrom(text: Buffer, needles: readonly Needle[]): number {
  let from = text.length
  for (const { bytes } of needles) {
    const first = bytes[0]!
    let at = text.indexOf(first, Math.max(0, text.length - bytes.length + 1))
    for (; at !== -1 && at < from; at = text.indexOf(first, at + 1)) {
      if (bytes.subarray(0, text.length - at).equals(text.subarray(at))) from = at
    }
  }
  return from
}
