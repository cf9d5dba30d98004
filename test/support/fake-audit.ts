/** An audit device type in memory whose devices fail when they are told to. */
import { type AuditDeviceType } from '../../src/kit/audit-device.ts'

export type FakeAudit = {
  readonly type: AuditDeviceType
  /** The entries that the device with this option `name` has taken, parsed; no checkpoints. */
  entries(name?: string): Record<string, unknown>[]
  text(name?: string): string
  /** Forgets what was taken so far. */
  clear(): void
  /** Devices for whose text this says true fail from now on. */
  failWhen: (text: string, name: string) => boolean
  /** Whether opening a device fails. */
  closed: boolean
}

export const HEALTHY = () => false
export const ALWAYS = () => true
/** Fails for whatever holds the entry of an answer. */
export const ON_ANSWERS = (text: string) => text.includes('"type":"response"')

export function fakeAudit(): FakeAudit {
  const taken = new Map<string, string[]>()
  const audit: FakeAudit = {
    failWhen: HEALTHY,
    closed: false,
    entries: (name) =>
      audit
        .text(name)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ type }) => type !== 'checkpoint'),
    text: (name = 'one') => taken.get(name)?.join('') ?? '',
    clear: () => taken.clear(),
    type: {
      type: 'fake',
      open({ name = 'one' }) {
        if (audit.closed) throw new Error('it does not open')
        return {
          write(lines) {
            if (audit.failWhen(lines, name)) throw new Error('no space left')
            const before = taken.get(name)
            if (before) before.push(lines)
            else taken.set(name, [lines])
          },
          reopen() {},
          close() {},
        }
      },
    },
  }
  return audit
}
