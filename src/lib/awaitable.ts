/** Values that are mostly there at once: a promise for what is already known costs a turn of the microtask queue. */

export type Awaitable<T> = T | Promise<T>

/** `use` of the value: now, if it is there now. */
export function whenReady<T, U>(
  value: Awaitable<T>,
  use: (value: T) => Awaitable<U>,
): Awaitable<U> {
  return value instanceof Promise ? value.then(use) : use(value)
}
