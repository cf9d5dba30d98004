/** A bar on standard error while something takes long; nothing where that is no terminal. */
import type { Io } from '../../io.ts'

export type Progress = {
  readonly update: (done: number, total: number | undefined) => void
  readonly clear: () => void
}

const WIDTH = 30
/** What is done sooner needs no bar. */
const AFTER_MS = 300
const EVERY_MS = 100

/** Undefined where nobody would see it: what it counts costs something. */
export function progress({ stderr, env }: Io): Progress | undefined {
  if (stderr.isTTY !== true || env['TERM'] === 'dumb') return undefined
  const began = performance.now()
  let last = began
  let shown = false
  return {
    update(done, total) {
      const now = performance.now()
      if (now - began < AFTER_MS || now - last < EVERY_MS) return
      last = now
      shown = true
      const part = total ? Math.min(1, done / total) : 0
      const bar = '#'.repeat(Math.round(part * WIDTH)).padEnd(WIDTH, '.')
      const left = part > 0 && part < 1 ? ((now - began) / part) * (1 - part) : 0
      const eta = left > 1000 ? `  ${Math.round(left / 1000)} s left` : ''
      stderr.write(`\r\u001B[K[${bar}] ${(part * 100).toFixed(0).padStart(3)} %${eta}`)
    },
    clear() {
      if (shown) stderr.write('\r\u001B[K')
      shown = false
    },
  }
}
