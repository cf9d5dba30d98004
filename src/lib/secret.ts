/**
 * A value that does not print itself. It travels through code, logs and JSON as `[secret]`; only
 * `reveal()` gives it out, so every place that sees the value can be found by searching one word.
 */
const HIDDEN = '[secret]'
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/**
 * Holds one value. The label says where the value comes from (`secret/db#password v7`) and must not
 * itself be secret: `util.inspect` shows it, string and JSON forms do not.
 */
export class Secret<T = string> {
  readonly #value: T
  readonly #label: string | undefined

  constructor(value: T, label?: string) {
    this.#value = value
    this.#label = label
  }

  /** The value itself. */
  reveal(): T {
    return this.#value
  }

  get label(): string | undefined {
    return this.#label
  }

  toString(): string {
    return HIDDEN
  }

  toLocaleString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [Symbol.toPrimitive](): string {
    return HIDDEN
  }

  [INSPECT](): string {
    return this.#label === undefined ? HIDDEN : `[secret ${this.#label}]`
  }
}
