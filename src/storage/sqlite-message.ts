/**
 * What travels between the two threads of the SQLite store. Copying an object between threads costs
 * by the piece, and a Buffer is copied with the whole pool it lies in; so a group of requests is a
 * few strings and numbers each, and all their bytes are one buffer that is handed over, not copied.
 */
import { type Expect, type LogWrite, type Write } from './store.ts'

export type Job = {
  id: number
  batch: readonly Write[]
  expect: Expect
  log?: LogWrite | undefined
}

type PackedJob = {
  id: number
  since: number
  /** Joined by newlines, which no key has. */
  keys: string
  revisions: number[]
  prefixes: string
  sinces: number[]
  writes: string
  /** -1 deletes. */
  sizes: number[]
  /** 0 = none. */
  dues: number[]
  /** Of the record for the log, whose bytes come after those of the writes; -1 = none. */
  logged: number
  dropTo: number
}
export type PackedGroup = { jobs: PackedJob[]; bytes: Uint8Array<ArrayBuffer> }

const NONE = -1

export function pack(jobs: readonly Job[]): PackedGroup {
  let total = 0
  for (const { batch, log } of jobs) {
    for (const { value } of batch) total += value?.length ?? 0
    total += log?.append?.length ?? 0
  }
  const bytes = new Uint8Array(total)
  let at = 0
  const add = (value: Uint8Array | undefined) => {
    if (!value) return
    bytes.set(value, at)
    at += value.length
  }
  const packed = jobs.map(({ id, batch, expect, log }): PackedJob => {
    for (const { value } of batch) add(value)
    add(log?.append)
    return {
      id,
      since: expect.since ?? NONE,
      keys: expect.keys.map(({ key }) => key).join('\n'),
      revisions: expect.keys.map(({ revision }) => revision),
      prefixes: expect.ranges.map(({ prefix }) => prefix).join('\n'),
      sinces: expect.ranges.map(({ since }) => since),
      writes: batch.map(({ key }) => key).join('\n'),
      sizes: batch.map(({ value }) => value?.length ?? NONE),
      dues: batch.map(({ due }) => due ?? 0),
      logged: log?.append?.length ?? NONE,
      dropTo: log?.dropTo ?? NONE,
    }
  })
  return { jobs: packed, bytes }
}

/** The jobs as they were; values are views into the group's bytes. */
export function unpack({ jobs, bytes }: PackedGroup): Job[] {
  let at = 0
  return jobs.map((job) => {
    const { id, since, keys, revisions, prefixes, sinces, writes, sizes, dues, logged, dropTo } =
      job
    const names = keys.split('\n')
    const under = prefixes.split('\n')
    const written = writes.split('\n')
    const batch = sizes.map((size, i): Write => {
      const key = written[i]!
      if (size < 0) return { key, value: undefined }
      const value = bytes.subarray(at, (at += size))
      return dues[i] ? { key, value, due: dues[i] } : { key, value }
    })
    const append = logged < 0 ? undefined : bytes.subarray(at, (at += logged))
    return {
      id,
      batch,
      ...((append || dropTo !== NONE) && {
        log: { ...(append && { append }), ...(dropTo !== NONE && { dropTo }) },
      }),
      expect: {
        ...(since !== NONE && { since }),
        keys: revisions.map((revision, i) => ({ key: names[i]!, revision })),
        ranges: sinces.map((from, i) => ({ prefix: under[i]!, since: from })),
      },
    }
  })
}
