/**
 * The output of a child on its way to a reader, without the values that it must not show. It goes
 * at the pace of the reader, and is waited for when the child has ended.
 */
import { type Readable, type Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { type NamedValue, redactStream } from './redact-stream.ts'

export type Output = {
  /**
   * Waits until all is out. A grandchild may hold the pipe open for ever: when nothing comes any
   * more and the reader has taken everything, that is the end too.
   */
  rest(): Promise<void>
}

const QUIET_MS = 1_000

export function redactedOutput(
  from: Readable,
  to: Writable,
  secrets: Iterable<NamedValue>,
): Output {
  const redactor = redactStream(secrets)
  let quiet = false
  from.on('data', () => (quiet = false))
  from.pipe(redactor).pipe(to, { end: false })
  const over = new AbortController()
  const { signal } = over
  // A reader that went away is no error of the child; it will hear of it when it writes.
  const readerGone = finished(to, { readable: false, signal }).catch(() => {})
  const through = finished(redactor).catch(() => {})
  return {
    async rest() {
      const done = Promise.race([through, readerGone]).then(() => 'done')
      for (;;) {
        quiet = true
        if ((await Promise.race([done, pause(QUIET_MS)])) === 'done') break
        if (!quiet || to.writableNeedDrain || redactor.writableEnded) continue
        from.destroy()
        redactor.end()
      }
      over.abort()
    },
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
