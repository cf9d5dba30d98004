/** The types of a config before and after its references are resolved, and the way to its values. */
import { Secret } from '../lib/secret.ts'

/** What is taken as it is, type and all. */
type Opaque =
  | Date
  | RegExp
  | URL
  | Uint8Array
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ((...args: never[]) => unknown)

type LoadedText<T extends string> = string extends T
  ? string | Secret
  : Lowercase<T> extends `${string}vault://${string}`
    ? Secret
    : T

/**
 * The type of a config once it is loaded: a text that is known to hold a reference is a Secret, one
 * that is known not to stays what it is, any other may be either.
 */
export type Loaded<T> = T extends string
  ? LoadedText<T>
  : T extends Secret<unknown> | Opaque
    ? T
    : T extends object
      ? { -readonly [K in keyof T]: Loaded<T[K]> }
      : T

/** The type of a value once its secrets are revealed. */
export type Revealed<T> =
  T extends Secret<infer U>
    ? U
    : T extends Opaque
      ? T
      : T extends object
        ? { [K in keyof T]: Revealed<T[K]> }
        : T

/**
 * The value with every Secret in it opened, however deep: `new Pool(reveal(config.db))`. Plain
 * objects and arrays are copied, anything else is the same object. Call it where the value is used,
 * and do not keep the result.
 */
export function reveal<T>(value: T): Revealed<T>
export function reveal(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal()
  if (Array.isArray(value)) return value.map((entry: unknown) => reveal(entry))
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, reveal(entry)]))
}
