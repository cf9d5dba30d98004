/**
 * An error that nobody catches is printed by Node's own code, which no stream sees. So the error is
 * cleaned before; what is thrown and is no error, and cannot be changed, is printed here.
 */
import { inspect } from 'node:util'
import { type Scrubber } from './scrubber.ts'

const CAUSES_MAX = 10

export function guardUncaught(scrubber: Scrubber): () => void {
  const monitor = (thrown: unknown) => {
    if (typeof thrown === 'object' && thrown !== null) {
      cleanError(thrown, scrubber, CAUSES_MAX)
      return
    }
    const shown = inspect(thrown)
    // Somebody else will deal with it, or there is nothing in it to hide.
    if (process.listenerCount('uncaughtException') > 0 || scrubber.text(shown) === shown) return
    process.once('uncaughtException', () => {
      process.stderr.write(`Uncaught:\n${scrubber.text(shown)}\n(Use an Error to see where)\n`)
      process.exit(1)
    })
  }
  process.on('uncaughtExceptionMonitor', monitor)
  return () => void process.off('uncaughtExceptionMonitor', monitor)
}

/** Every text in it, its causes and its parts; what refuses to be changed is left as it is. */
function cleanError(error: object, scrubber: Scrubber, depth: number): void {
  if (depth === 0) return
  for (const name of new Set(['message', 'stack', 'cause', 'errors', ...Object.keys(error)])) {
    const value: unknown = Reflect.get(error, name)
    if (typeof value === 'string') {
      const clean = scrubber.text(value)
      if (clean !== value) {
        const enumerable = Object.prototype.propertyIsEnumerable.call(error, name)
        Reflect.defineProperty(error, name, {
          value: clean,
          enumerable,
          configurable: true,
          writable: true,
        })
      }
    } else if (typeof value === 'object' && value !== null) {
      cleanError(value, scrubber, depth - 1)
    }
  }
}
