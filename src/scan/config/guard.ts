/**
 * Runs a pattern that somebody else wrote, for so long and no longer. What is known to explode was
 * refused when it was read; a text can still be slow, and then the rule gives up on it and says so.
 */
import { createContext, Script } from 'node:vm'

export class TooSlow extends Error {
  override readonly name = 'TooSlow'
}

const MS_MAX = 1000
/** On a short text no pattern that was let in is slow, and a guard has its price. */
const SHORT = 300

const script = new Script('work()')
const context = createContext({ work: undefined as (() => unknown) | undefined })

/** Throws TooSlow. */
export function guarded<T>(length: number, work: () => T): T {
  if (length <= SHORT) return work()
  context['work'] = work
  try {
    return script.runInContext(context, { timeout: MS_MAX }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new TooSlow()
    throw error
  } finally {
    context['work'] = undefined
  }
}
