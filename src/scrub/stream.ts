/** `app 2>&1 | coffer scrub`, as a stream to pipe through. */
import { Transform } from 'node:stream'
import { held } from './held.ts'
import { type Scrubber } from './scrubber.ts'

export type StreamOptions = {
  /** Look at whole lines too. Default: whether the scrubber has rules or an index. */
  readonly rules?: boolean
  /** How long a line without an end, such as a prompt, waits for more. Default 100. */
  readonly letGoMs?: number
}

const LET_GO_MS = 100

/** Bytes in, clean bytes out. The timer of what is held keeps no process alive. */
export function scrubStream(scrubber: Scrubber, options: StreamOptions = {}): Transform {
  const { rules = scrubber.byLines, letGoMs = LET_GO_MS } = options
  const state = held(scrubber, { rules })
  let timer: ReturnType<typeof setTimeout> | undefined

  const stream = new Transform({
    transform(chunk: Buffer | string, encoding, done) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
      give(state.push(bytes))
      wait()
      done()
    },
    flush(done) {
      clearTimeout(timer)
      give(state.end())
      done()
    },
    destroy(error, done) {
      clearTimeout(timer)
      done(error)
    },
  })

  function give(bytes: Uint8Array): void {
    if (bytes.length > 0) stream.push(bytes)
  }

  function wait(): void {
    clearTimeout(timer)
    if (state.waiting === 0) return
    timer = setTimeout(() => give(state.letGo()), letGoMs)
    timer.unref()
  }

  return stream
}
