/**
 * Secrets at paths, as they are moved, copied and searched by someone who does not know the engine:
 * what is there, how it is taken out and put in, and what a caller must be allowed for each.
 */
import { type Random } from '../lib/random.ts'
import { type Page } from '../storage/store.ts'
import { type EntryStore, type Operation } from './call.ts'

/** What the ACL is asked; the path is relative to the mount. */
export type Right = {
  readonly operation: Operation
  readonly path: string
  readonly data?: Readonly<Record<string, unknown>>
}

/**
 * What is done with a secret (with a folder: `list`). `read` is its data, `describe` what is known
 * about it, `take` both with all that ever was; `create` and `replace` write it whole.
 */
export type TreeUse = 'list' | 'read' | 'describe' | 'take' | 'remove' | 'create' | 'replace'

/** Times in milliseconds; `text` is the secret as JSON, absent when it was destroyed. */
export type LeafVersion = {
  readonly created: number
  /** 0 = never, and may lie in the future. */
  readonly deletion: number
  readonly destroyed: boolean
  readonly text?: string
}

/** A secret with its history, as one engine hands it to another. */
export type Leaf = {
  readonly versions: Readonly<Record<number, LeafVersion>>
  /** 0 = there is no version yet. */
  readonly current: number
  readonly notes: Readonly<Record<string, string>> | null
  /** The engine's own; another engine leaves it alone. */
  readonly settings?: object
}

/** The newest version as it can be read now. */
export type Newest = Pick<Leaf, 'notes'> & { readonly text: string | undefined }

export type Tree = {
  /** Whether it keeps all versions, or the newest only. */
  readonly versioned: boolean
  rights(use: TreeUse, path: string, leaf?: Leaf): readonly Right[]
  /** Names directly below a folder ('' or ending in '/'); a folder ends in '/'. */
  list(store: EntryStore, folder: string, page?: Page): Promise<string[]>
  exists(store: EntryStore, path: string): Promise<boolean>
  newest(store: EntryStore, path: string, now: number): Promise<Newest | undefined>
  /** When the newest version was written, where the engine knows, and the notes beside it. */
  changed?(
    store: EntryStore,
    path: string,
  ): Promise<(Pick<Leaf, 'notes'> & { at: number }) | undefined>
  export(store: EntryStore, path: string, now: number): Promise<Leaf | undefined>
  /**
   * Puts it there in the place of what there was. `cas` is the version that must be there. Throws a
   * 400 where the engine's own rules are against it.
   */
  import(
    parts: { store: EntryStore; now: number; random: Random; cas?: number },
    path: string,
    leaf: Leaf,
  ): Promise<void>
  remove(parts: { store: EntryStore; random: Random }, path: string): Promise<void>
}
