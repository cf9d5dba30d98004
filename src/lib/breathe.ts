/** Long work in one process lets others have their turn. */

/** So many steps at a time take a few milliseconds where a step is a name to be decrypted. */
const STEPS = 500

/** A function to be awaited with how many steps were done: now and then it waits for the others. */
export function breather(): (steps: number) => Promise<void> | void {
  let done = 0
  return (steps) => {
    done += steps
    if (done < STEPS) return undefined
    done = 0
    return new Promise((resolve) => setImmediate(resolve))
  }
}
