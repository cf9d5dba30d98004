/** Decoded entries as the space keeps them: what was read, and what was just written. */
import { parseJson } from '../lib/json.ts'

/** Larger entries are decoded anew at each read: the cache is for the many small ones. */
const CACHED_BYTES_MAX = 64 * 1024
/** Every request reads the tables of namespaces, of mounts and of baits, however long they are. */
const TABLE = /^(?:ns\/[^/]+\/)?sys\/(?:namespaces|mounts|honey)$/
export const mayCache = (path: string, bytes: number) =>
  bytes <= CACHED_BYTES_MAX || TABLE.test(path)

export type Cached = {
  readonly path: string
  readonly key: string
  /** 0 = there is no such entry. */
  readonly revision: number
  readonly value: object | undefined
}

/**
 * What was just written, as it would be read: parsed from its text, so that a handler never gets an
 * object another one has made, but only when somebody asks.
 */
export class Written implements Cached {
  readonly path: string
  readonly key: string
  readonly revision: number
  readonly #text: string
  #value: object | undefined

  constructor({ path, key, text }: { path: string; key: string; text: string }, revision: number) {
    this.path = path
    this.key = key
    this.revision = revision
    this.#text = text
  }

  get value(): object {
    return (this.#value ??= parseJson(this.#text) as object)
  }
}
