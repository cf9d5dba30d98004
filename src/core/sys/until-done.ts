/** Work that must be finished some time, whatever comes in between: one pass at a time, and again later. */
import { type Core } from '../core.ts'

const RETRY_MS = 60_000

/**
 * `pass` says whether all is done; it must bear being run twice. What is returned runs it, after a
 * pass that is under way, and again in a minute while it is not done. Never throws.
 */
export function untilDone(
  trouble: string,
  pass: (core: Core) => Promise<boolean>,
): (core: Core) => Promise<void> {
  const running = new WeakMap<Core, Promise<void>>()
  const retrying = new WeakSet<Core>()

  async function once(core: Core): Promise<void> {
    let done = false
    try {
      done = await pass(core)
    } catch (error) {
      const kind = error instanceof Error ? error.name : 'unknown trouble'
      core.log('error', `${trouble}: ${kind}`)
    }
    if (done || retrying.has(core)) return
    retrying.add(core)
    core.clock.after(RETRY_MS, () => {
      retrying.delete(core)
      void run(core)
    })
  }

  function run(core: Core): Promise<void> {
    const next = (running.get(core) ?? Promise.resolve()).then(() => once(core))
    running.set(core, next)
    return next
  }

  return run
}
