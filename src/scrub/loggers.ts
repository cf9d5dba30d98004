/**
 * For the loggers that most Node programs use. None of them is imported: pino takes anything with a
 * `write`, a winston format is an object with a `transform`.
 *
 *   pino(scrubDestination(scrubber, pino.destination(1)))
 *   winston.format.combine(winston.format.json(), scrubFormat(scrubber))
 */
import { type Scrubber } from './scrubber.ts'

/** pino gives whole lines. */
export function scrubDestination(
  scrubber: Scrubber,
  to: { write(text: string): unknown } = process.stdout,
): { readonly writable: true; write(text: string): void } {
  // By `writable`, pino tells a destination from its options.
  return { writable: true, write: (text) => void to.write(scrubber.text(text)) }
}

type Info = { [key: string | symbol]: unknown }

const DEPTH_MAX = 8
/** What winston's transports print. */
const MESSAGE = Symbol.for('message')
const SPLAT = Symbol.for('splat')

/** Should stand last: what another format makes afterwards is not looked at. */
export function scrubFormat(scrubber: Scrubber): { transform(info: Info): Info } {
  return {
    transform(info) {
      const clean = cleaned(info, scrubber, DEPTH_MAX) as Info
      for (const name of [MESSAGE, SPLAT]) {
        if (info[name] !== undefined) clean[name] = cleaned(info[name], scrubber, DEPTH_MAX)
      }
      return clean
    },
  }
}

/** A copy with every text cleaned; a thing that is not plain data becomes what it prints as. */
function cleaned(value: unknown, scrubber: Scrubber, depth: number): unknown {
  if (typeof value === 'string') return scrubber.text(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return '[too deep]'
  if (Array.isArray(value)) return value.map((one) => cleaned(one, scrubber, depth - 1))
  if (value instanceof Error) {
    const { name, message, stack } = value
    return { name, message: scrubber.text(message), stack: scrubber.text(stack ?? '') }
  }
  const clean: Info = Object.create(Object.getPrototypeOf(value) as object | null) as Info
  for (const name of Reflect.ownKeys(value)) {
    const part: unknown = Reflect.get(value, name)
    // Winston finds the level of an entry under a symbol.
    clean[name] = typeof name === 'symbol' ? part : cleaned(part, scrubber, depth - 1)
  }
  return clean
}
