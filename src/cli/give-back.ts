/**
 * A start makes twice as much as it keeps, and V8 holds on to the room: 16 MB of 108. It gives room
 * back when memory runs short, or when it is told so: once, when the start is over.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** By then the first requests of a script that waited for the server have been answered. */
const AFTER_MS = 1500

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

export function giveBackLater(): void {
  setTimeout(giveBack, AFTER_MS).unref()
}

/** Takes some 30 ms, in which nothing is answered. */
export function giveBack(): void {
  // The function is there in contexts that are made while the flag is set, and nowhere else.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
