/** The part of a transaction below one prefix, seen as if it were all there is. */
import { type Awaitable, type Page } from '../storage/store.ts'
import { type Keyring } from './keyring.ts'
import { type Scope } from './space.ts'

class Under implements Scope {
  readonly #whole: Scope
  readonly #prefix: string

  constructor(whole: Scope, prefix: string) {
    this.#whole = whole
    this.#prefix = prefix
  }

  get<T extends object>(path: string): Awaitable<T | undefined> {
    return this.#whole.get<T>(this.#prefix + path)
  }

  put(path: string, value: object, due?: number): void {
    this.#whole.put(this.#prefix + path, value, due)
  }

  remove(path: string): void {
    this.#whole.remove(this.#prefix + path)
  }

  list(prefix: string, page?: Page): Promise<string[]> {
    return this.#whole.list(this.#prefix + prefix, page)
  }

  get keyring(): Keyring {
    return this.#whole.keyring
  }
}

/** `prefix` ends in a slash. What is written through it is written in the whole. */
export function scopeUnder(whole: Scope, prefix: string): Scope {
  return new Under(whole, prefix)
}
