/**
 * One audit device: its lines wait here for the end of the turn, are chained when they are written,
 * and are covered by a checkpoint after a thousand of them or ten seconds.
 */
import { type AuditDevice } from '../kit/audit-device.ts'
import { type Clock } from '../lib/clock.ts'
import { type Awaitable } from '../storage/store.ts'
import { type AuditChain, type Checkpoint } from './audit-chain.ts'

const CHECKPOINT_LINES = 1_000
const CHECKPOINT_MS = 10_000

export type AuditWriter = {
  add(entry: string): void
  /** Whether the device has taken all that was added; never rejects. */
  flush(): Awaitable<boolean>
  /** As the device has it; undefined = it cannot be read back. */
  newestFirst(bytesMax: number): AsyncIterable<Buffer> | undefined
  reopen(): void
  close(): void
}

export type AuditWriterOptions = {
  /** Names the device in reports. */
  path: string
  /** Undefined when this build has no such device; throws when it does not open. */
  open(): AuditDevice | undefined
  newChain(): AuditChain
  clock: Clock
  report(trouble: string): void
  witness(checkpoint: Checkpoint): void
}

export function auditWriter(options: AuditWriterOptions): AuditWriter {
  const { path, clock } = options
  let device: AuditDevice | undefined
  let chain: AuditChain | undefined
  let waiting: string[] = []
  let cancelTimer: (() => void) | undefined
  tryTo('does not open', () => (device = options.open()))

  function tryTo(trouble: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      // Stays in the table and counts as failing: silence must not look like an audit log.
      options.report(`audit device ${path} ${trouble}: ${(error as Error).message}`)
    }
  }

  /** What was lost is lost: the next lines do not claim to follow it. */
  function failed(error: unknown): false {
    chain = undefined
    options.report(`audit device ${path} failed: ${(error as Error).message}`)
    return false
  }

  function write(lines: string): Awaitable<boolean> {
    try {
      if (!device) throw new Error('not open')
      const written = device.write(lines)
      return written ? written.then(() => true, failed) : true
    } catch (error) {
      return failed(error)
    }
  }

  function flush(): Awaitable<boolean> {
    const entries = waiting
    waiting = []
    let lines = ''
    if (!chain) {
      chain = options.newChain()
      lines = chain.checkpoint(clock.now()).line
    }
    if (entries.length > 0) lines += chain.link(entries)
    let signed: Checkpoint | undefined
    if (chain.unsigned >= CHECKPOINT_LINES) {
      const { line, checkpoint } = chain.checkpoint(clock.now())
      lines += line
      signed = checkpoint
    }
    const taken = write(lines)
    if (signed) witnessWhen(taken, signed)
    if (chain && chain.unsigned > 0) cancelTimer ??= clock.after(CHECKPOINT_MS, signNow)
    return taken
  }

  function witnessWhen(taken: Awaitable<boolean>, checkpoint: Checkpoint): void {
    if (taken === true) options.witness(checkpoint)
    else if (taken) void taken.then((late) => late && options.witness(checkpoint))
  }

  function signNow(): void {
    cancelTimer = undefined
    if (!chain || chain.unsigned === 0) return
    const { line, checkpoint } = chain.checkpoint(clock.now())
    witnessWhen(write(line), checkpoint)
  }

  return {
    add: (entry) => void waiting.push(entry),
    flush,
    newestFirst: (bytesMax) => device?.newestFirst?.(bytesMax),
    reopen() {
      tryTo('does not reopen', () => {
        // One that could not be opened before may have its folder or its space back now.
        if (device) device.reopen()
        else device = options.open()
      })
    },
    close() {
      cancelTimer?.()
      // What has been recorded for a device that goes away is still its own.
      if (waiting.length > 0) void flush()
      cancelTimer?.()
      signNow()
      device?.close()
      device = undefined
    },
  }
}
