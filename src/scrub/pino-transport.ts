/**
 * A transport for pino, which runs in a worker thread of its own:
 *
 *   pino({ transport: { target: 'coffer/scrub/pino', options: { values, destination: 1 } } })
 *
 * What becomes secret later is not known there; a guard or `scrubDestination` in the main thread is.
 */
import { createWriteStream } from 'node:fs'
import { Writable } from 'node:stream'
import { compileRules } from '../rules/matcher.ts'
import { type KnownValue } from './known-values.ts'
import { createScrubber } from './scrubber.ts'
import { scrubStream } from './stream.ts'

export type TransportOptions = {
  readonly values?: readonly KnownValue[]
  /** Look by rules too. Default: yes. */
  readonly rules?: boolean
  /** A descriptor or the path of a file, which is written on. Default 1. */
  readonly destination?: number | string
  readonly show?: 'name' | 'tag'
}

export default function transport(options: TransportOptions = {}): Writable {
  const { values = [], rules = true, destination = 1, show = 'name' } = options
  const scrubber = createScrubber({ values, show, ...(rules && { rules: compileRules() }) })
  const to =
    typeof destination === 'number'
      ? createWriteStream('', { fd: destination, autoClose: false })
      : createWriteStream(destination, { flags: 'a' })
  const clean = scrubStream(scrubber, { letGoMs: 0 })
  clean.pipe(to)
  // The thread ends with the stream it was given: that must not end before the last line is written.
  const whole = new Writable({
    write: (chunk: Buffer, encoding, done) => void clean.write(chunk, encoding, done),
    final(done) {
      to.once('finish', () => done())
      clean.end()
    },
    destroy(error, done) {
      clean.destroy()
      to.destroy()
      done(error)
    },
  })
  to.on('error', (error) => whole.destroy(error))
  return whole
}
