/** The contents of blobs, from one `git cat-file --batch` that is told their names as they come. */
import type { Readable, Writable } from 'node:stream'
import { git, GitError } from './git-run.ts'
import { release } from './release.ts'

export type Blob<T> =
  | { readonly of: T; readonly bytes: Buffer }
  /** Larger than `max`, or (-1) not there: a shallow or partial clone. */
  | { readonly of: T; readonly size: number }

const NAMES_AT_ONCE = 128

/**
 * In the order of what is asked for. Names are written while contents are read, and never further
 * ahead than the pipe is long, so that memory stays bounded however many there are.
 */
export async function* blobs<T extends { readonly blob: string }>(
  folder: string,
  wanted: Iterable<T> | AsyncIterable<T>,
  max: number,
): AsyncGenerator<Blob<T>> {
  const child = git(folder, ['cat-file', '--batch', '--buffer'])
  const open: T[] = []
  let trouble: unknown
  const writing = write(child.stdin, wanted, open).catch((error: unknown) => {
    trouble = error
    child.stdin.end()
  })
  try {
    const reader = reading(child.stdout)
    for (;;) {
      const head = await reader.line()
      if (head === undefined) break
      const of = open.shift()!
      const [, kind = '', length = ''] = head.split(' ')
      if (length === '') {
        yield { of, size: -1 }
        continue
      }
      const size = Number(length)
      if (kind !== 'blob' || size > max) {
        await reader.skip(size + 1)
        if (kind === 'blob') yield { of, size }
        continue
      }
      const bytes = await reader.take(size)
      await reader.skip(1)
      yield { of, bytes }
    }
    await writing
    if (trouble !== undefined) throw trouble
    await child.ended
  } finally {
    child.stop()
  }
}

async function write<T extends { readonly blob: string }>(
  stdin: Writable,
  wanted: Iterable<T> | AsyncIterable<T>,
  open: T[],
): Promise<void> {
  let part: string[] = []
  const send = async () => {
    const text = part.join('')
    part = []
    if (stdin.write(text) || stdin.destroyed) return
    await new Promise<void>((resolve) => {
      stdin.once('drain', resolve)
      stdin.once('close', resolve)
    })
  }
  for await (const one of wanted) {
    open.push(one)
    part.push(`${one.blob}\n`)
    if (part.length >= NAMES_AT_ONCE) await send()
    if (stdin.destroyed) return
  }
  await send()
  stdin.end()
}

type Reader = {
  line(): Promise<string | undefined>
  take(size: number): Promise<Buffer>
  skip(size: number): Promise<void>
}

function reading(stream: Readable): Reader {
  const source = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  let chunk: Buffer = Buffer.alloc(0)

  async function more(): Promise<boolean> {
    const { value, done } = await source.next()
    if (done) return false
    chunk = chunk.length === 0 ? value : Buffer.concat([chunk, value])
    return true
  }
  const cut = () => new GitError('git ended in the middle of a blob')
  return {
    async line() {
      for (;;) {
        const end = chunk.indexOf(10)
        if (end >= 0) {
          const line = chunk.toString('utf8', 0, end)
          chunk = chunk.subarray(end + 1)
          return line
        }
        if (!(await more())) return undefined
      }
    },
    async take(size) {
      if (chunk.length >= size) {
        const bytes = chunk.subarray(0, size)
        chunk = chunk.subarray(size)
        return bytes
      }
      // Filled piece by piece: what is large is in memory once.
      const bytes = Buffer.allocUnsafeSlow(size)
      for (let at = 0; at < size;) {
        const isNew = chunk.length === 0
        if (isNew && !(await more())) throw cut()
        const count = chunk.copy(bytes, at)
        const rest = chunk.subarray(count)
        // No part of it was given to anybody: it need not wait for the collector.
        if (isNew && rest.length === 0 && count === chunk.buffer.byteLength) release(chunk)
        chunk = rest
        at += count
      }
      return bytes
    },
    async skip(size) {
      for (let left = size; left > 0;) {
        if (chunk.length === 0 && !(await more())) throw cut()
        const now = Math.min(left, chunk.length)
        chunk = chunk.subarray(now)
        left -= now
      }
    },
  }
}
