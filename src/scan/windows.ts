/**
 * A long text in windows that overlap. Text is decoded once, from its beginning: neither a character nor
 * a line is ever counted twice, whatever the encoding, and however long a line is.
 */
import { StringDecoder } from 'node:string_decoder'
import { type Encoding, encodingOf } from './decode.ts'

export type Window = {
  readonly text: string
  /** Of its first character: lines from 1, units before it in its line. */
  readonly line: number
  readonly before: number
  /** What begins in here is told of this window: before it by the last one, after it by the next. */
  readonly from: number
  readonly to: number
}

/** Units on either side of where one window hands over to the next: the longest secret that is found there. */
const MARGIN = 8 * 1024
const NUL = 0
const SAMPLE_BYTES = 8192

/** Nothing where it is binary from the start; parts that are binary later on are passed over. */
export function* windowsOf(parts: Iterable<Buffer>): Generator<Window> {
  let decoder: StringDecoder | undefined
  let text = ''
  let line = 1
  let before = 0
  let from = 0
  let encoding: Encoding | undefined
  for (const part of parts) {
    let bytes = part
    if (decoder === undefined || encoding === undefined) {
      encoding = encodingOf(bytes)
      if (encoding === undefined) return
      decoder = new StringDecoder(encoding.name)
      bytes = bytes.subarray(encoding.skip)
    } else if (encoding.name === 'utf8' && bytes.subarray(0, SAMPLE_BYTES).includes(NUL)) {
      // A dump with a blob in it. Its newlines count, its text does not.
      if (text.length > from) yield { text, line, before, from, to: Infinity }
      line += newlines(text) + newlines(bytes.toString('latin1'))
      before = 0
      from = 0
      text = ''
      continue
    }
    text += decoder.write(encoding.swapped ? turned(bytes) : bytes)
    if (text.length <= 2 * MARGIN) continue
    const to = text.length - MARGIN
    yield { text, line, before, from, to }
    const cut = text.length - 2 * MARGIN
    const done = text.slice(0, cut)
    const newest = done.lastIndexOf('\n')
    before = newest < 0 ? before + cut : cut - newest - 1
    line += newlines(done)
    text = text.slice(cut)
    from = MARGIN
  }
  text += decoder?.end() ?? ''
  if (text.length > from) yield { text, line, before, from, to: Infinity }
}

const turned = (bytes: Buffer) => Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16()

function newlines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}
