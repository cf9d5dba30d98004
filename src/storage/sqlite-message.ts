/**
 * What travels between the two threads of the SQLite store. Copying an object between threads costs
 * by the piece, and a Buffer is copied with the whole pool it lies in; so a group of requests is one
 * text and one buffer, and the buffer is handed over, not copied.
 *
 * Requests read the same few keys again and again: a login expects sixteen of them, two kilobytes,
 * and writes one record. So a key that is read is sent once and has a number from then on.
 *
 *   numbers   fresh, jobs, then for each job
 *             id, since, keys, (name, revision)*, ranges, (since)*, writes, (name, size, due)*,
 *             size of the record for the log, up to where the log is dropped (-1 = none of it)
 *   name      the number of a key; one past the last number, or -1, stands for the next of the text
 */
import { type Expect, type LogWrite, type Write } from './store.ts'

export type Job = {
  id: number
  batch: readonly Write[]
  expect: Expect
  log?: LogWrite | undefined
}

export type PackedGroup = {
  /** In one piece of memory, the numbers first. */
  numbers: Float64Array<ArrayBuffer>
  /** The values, one behind the other. */
  bytes: Uint8Array<ArrayBuffer>
  /** Names, joined by newlines, which no key has. */
  text: string
}

const NONE = -1
/** Keys that have a number; then both sides forget them and begin anew. */
const NAMES_MAX = 20_000

/** The sending side. What one packs must be unpacked in the same order by the one other side. */
export function packer(): (jobs: readonly Job[]) => PackedGroup {
  let known = new Map<string, number>()

  return (jobs) => {
    const { numbers, bytes } = roomFor(jobs)
    const texts: string[] = []
    let [at, to] = [0, 0]
    const fresh = known.size > NAMES_MAX
    if (fresh) known = new Map()
    numbers[at++] = fresh ? 1 : 0
    numbers[at++] = jobs.length
    for (const { id, batch, expect, log } of jobs) {
      numbers[at++] = id
      numbers[at++] = expect.since ?? NONE
      numbers[at++] = expect.keys.length
      for (const { key, revision } of expect.keys) {
        let name = known.get(key)
        if (name === undefined) {
          known.set(key, (name = known.size))
          texts.push(key)
        }
        numbers[at++] = name
        numbers[at++] = revision
      }
      numbers[at++] = expect.ranges.length
      for (const { prefix, since } of expect.ranges) {
        texts.push(prefix)
        numbers[at++] = since
      }
      numbers[at++] = batch.length
      for (const { key, value, due } of batch) {
        const name = known.get(key) ?? NONE
        if (name === NONE) texts.push(key)
        numbers[at++] = name
        numbers[at++] = value?.length ?? NONE
        numbers[at++] = due ?? 0
        if (!value) continue
        bytes.set(value, to)
        to += value.length
      }
      numbers[at++] = log?.append?.length ?? NONE
      numbers[at++] = log?.dropTo ?? NONE
      if (!log?.append) continue
      bytes.set(log.append, to)
      to += log.append.length
    }
    return { numbers, bytes, text: texts.join('\n') }
  }
}

/** One piece of memory for all numbers and values of a group. */
function roomFor(jobs: readonly Job[]) {
  let count = 2
  let size = 0
  for (const { batch, expect, log } of jobs) {
    count += 7 + 2 * expect.keys.length + expect.ranges.length + 3 * batch.length
    for (const { value } of batch) size += value?.length ?? 0
    size += log?.append?.length ?? 0
  }
  const piece = new ArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT + size)
  const numbers = new Float64Array(piece, 0, count)
  return { numbers, bytes: new Uint8Array(piece, numbers.byteLength) }
}

/** The receiving side: the jobs as they were; values are views into the group's bytes. */
export function unpacker(): (group: PackedGroup) => Job[] {
  let known: string[] = []

  return ({ numbers, bytes, text }) => {
    const texts = text.split('\n')
    let [at, told, from] = [0, 0, 0]
    const next = () => numbers[at++]!
    if (next() === 1) known = []
    const nameRead = () => {
      const name = next()
      if (name === known.length) known.push(texts[told++]!)
      return known[name]!
    }
    const nameWritten = () => {
      const name = next()
      return name === NONE ? texts[told++]! : known[name]!
    }
    const write = (): Write => {
      const key = nameWritten()
      const [size, due] = [next(), next()]
      if (size === NONE) return { key, value: undefined }
      const value = bytes.subarray(from, (from += size))
      return due === 0 ? { key, value } : { key, value, due }
    }
    const logged = (): LogWrite | undefined => {
      const [size, dropTo] = [next(), next()]
      if (size === NONE && dropTo === NONE) return undefined
      return {
        ...(size !== NONE && { append: bytes.subarray(from, (from += size)) }),
        ...(dropTo !== NONE && { dropTo }),
      }
    }
    return times(next(), (): Job => {
      const id = next()
      const since = next()
      const keys = times(next(), () => ({ key: nameRead(), revision: next() }))
      const ranges = times(next(), () => ({ prefix: texts[told++]!, since: next() }))
      const batch = times(next(), write)
      const log = logged()
      const expect = { ...(since !== NONE && { since }), keys, ranges }
      return { id, batch, expect, ...(log && { log }) }
    })
  }
}

function times<T>(count: number, make: () => T): T[] {
  const made: T[] = []
  for (let i = 0; i < count; i++) made.push(make())
  return made
}
