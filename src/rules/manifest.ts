/**
 * The values of a Kubernetes Secret. Its `data` may stand before or behind its `kind`, so the whole
 * document is read, but not further than a few thousand units each way.
 */
import { isPlaceholder } from './value.ts'

const AROUND = 6000

export type Span = readonly [start: number, end: number]

/** Where the values are of the Secret whose `kind` begins at `at`. */
export function secretsOfManifest(text: string, at: number): Span[] {
  const [from, to] = documentAround(text, at)
  // One reading for a document, however often it says what it is.
  if (SAYS_SECRET.test(text.slice(from, at))) return []
  const spans: Span[] = []
  const blocks = /(?:^|\n)([ \t]{0,12})["']?(data|stringData)["']?:[ \t]{0,4}\r?\n/g
  const document = text.slice(from, to)
  for (const { 0: opening, 1: indent = '', 2: kind, index } of document.matchAll(blocks)) {
    const start = index + opening.length
    const seen = entriesBelow(document, start, indent.length)
    for (const [begin, end] of seen) {
      const value = document.slice(begin, end)
      if (kind === 'data' ? isEncoded(value) : isPlain(value))
        spans.push([from + begin, from + end])
    }
  }
  return spans
}

function documentAround(text: string, at: number): Span {
  const least = Math.max(0, at - AROUND)
  const before = text.slice(least, at).lastIndexOf('\n---')
  const after = text.slice(at, at + AROUND).indexOf('\n---')
  return [
    before < 0 ? least : least + before,
    after < 0 ? Math.min(text.length, at + AROUND) : at + after,
  ]
}
const SAYS_SECRET = /kind["']?:\s{0,3}["']?secret\b/i

/** The values of the lines that are indented deeper than the block's name. */
function entriesBelow(document: string, start: number, indent: number): Span[] {
  const spans: Span[] = []
  let at = start
  while (at < document.length) {
    const end = document.indexOf('\n', at)
    const line = document.slice(at, end < 0 ? document.length : end)
    const depth = /^[ \t]*/.exec(line)![0].length
    if (line.trim() !== '' && depth <= indent && !line.trimStart().startsWith('#')) break
    const value = VALUE.exec(line)
    if (value !== null && value[1] !== undefined) {
      const begin = at + value.index + value[0].lastIndexOf(value[1])
      spans.push([begin, begin + value[1].length])
    }
    if (end < 0) break
    at = end + 1
  }
  return spans
}
/** `key: value`, `key: "value"`, or a line of a block's text. */
const VALUE =
  /^[ \t]*(?:[\w./-]{1,80}[:=][ \t]{0,4}|[\w.-]{1,40}:)?["']?([^\s"'|>#][^\s"']{5,4000})["']?(?:[ \t]+#.*)?\r?$/

function isEncoded(value: string): boolean {
  if (!/^[A-Za-z0-9+/]{8,}={0,2}$/.test(value)) return false
  const text = Buffer.from(value, 'base64').toString('latin1')
  if (text.length < 6 || isPlaceholder(value)) return false
  if (!text.startsWith('{')) return !isPlaceholder(text)
  // Settings in JSON: what was cut for show cannot be read, and one value in it must be real.
  try {
    return leavesOf(JSON.parse(text)).some((leaf) => leaf.length >= 6 && !isPlaceholder(leaf))
  } catch {
    return false
  }
}

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : []
}

function isPlain(value: string): boolean {
  return value.length >= 8 && !isPlaceholder(value) && !value.includes('://') && /\d/.test(value)
}
