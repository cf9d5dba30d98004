/**
 * The audit broker: every entry goes to every device, and counts as written when at least one took
 * it. Entries of one turn of the event loop are written with one system call per device; whoever
 * recorded one waits for that before acting on it.
 */
import { type AuditDevice, type AuditDeviceType } from '../kit/audit-device.ts'
import { Failure } from '../kit/failure.ts'
import { type Tx } from '../barrier/space.ts'
import { type Awaitable } from '../storage/store.ts'
import { type Hasher, hasher } from './audit-hash.ts'

export type AuditEntry = {
  path: string
  type: string
  description: string
  options: Record<string, string>
  local: boolean
  /** The key of its HMACs; lives with the entry, so hashes stay comparable over restarts. */
  salt: string
}
export type AuditTable = { devices: AuditEntry[] }
export const AUDIT_PATH = 'sys/audit'

export type DeviceView = {
  readonly entry: AuditEntry
  readonly hasher: Hasher
  readonly hashAccessor: boolean
  readonly elideLists: boolean
}

export type AuditLog = {
  readonly types: ReadonlyMap<string, AuditDeviceType>
  /** Opens and closes devices until they are those of the table. Cheap when nothing has changed. */
  follow(tx: Tx): Awaitable<void>
  /** Whether there is any device: if not, nothing needs to be formatted. */
  readonly active: boolean
  /** Resolves when the entry is written; rejects with audit_failed when no device took it. */
  record(format: (device: DeviceView) => string): Promise<void>
  device(path: string): DeviceView | undefined
  reopen(): void
  close(): void
}

type Open = DeviceView & { device: AuditDevice | undefined; lines: string[] }

export function auditLog(
  types: readonly AuditDeviceType[],
  report: (trouble: string) => void,
): AuditLog {
  const typeOf = new Map(types.map((type) => [type.type, type]))
  let followed: AuditTable | undefined
  let open = new Map<string, Open>()
  let flushing: Promise<void> | undefined

  function openDevice(entry: AuditEntry): Open {
    let device: AuditDevice | undefined
    try {
      device = typeOf.get(entry.type)?.open(entry.options)
    } catch (error) {
      // Stays in the table and counts as failing: silence must not look like an audit log.
      report(`audit device ${entry.path} does not open: ${(error as Error).message}`)
    }
    return {
      entry,
      device,
      lines: [],
      hasher: hasher(entry.salt),
      hashAccessor: entry.options['hmac_accessor'] !== 'false',
      elideLists: entry.options['elide_list_responses'] === 'true',
    }
  }

  function flush(): boolean {
    let taken = false
    for (const { entry, device, lines } of open.values()) {
      const text = lines.join('')
      lines.length = 0
      try {
        if (!device) throw new Error('not open')
        device.write(text)
        taken = true
      } catch (error) {
        report(`audit device ${entry.path} failed: ${(error as Error).message}`)
      }
    }
    return taken
  }

  function adopt(table: AuditTable | undefined): void {
    if (table === followed) return
    followed = table
    const next = new Map<string, Open>()
    for (const entry of table?.devices ?? []) {
      const same = open.get(entry.path)
      next.set(entry.path, same?.entry.salt === entry.salt ? same : openDevice(entry))
    }
    const gone = [...open.values()].filter((o) => next.get(o.entry.path) !== o)
    // What has been recorded for a device that goes away is still its own.
    if (gone.some(({ lines }) => lines.length > 0)) flush()
    open = next
    for (const { device } of gone) device?.close()
  }

  return {
    types: typeOf,
    get active() {
      return open.size > 0
    },
    follow(tx) {
      const table = tx.get<AuditTable>(AUDIT_PATH)
      return table instanceof Promise ? table.then(adopt) : adopt(table)
    },
    record(format) {
      if (open.size === 0) return Promise.resolve()
      for (const device of open.values()) {
        device.lines.push(`${device.entry.options['prefix'] ?? ''}${format(device)}\n`)
      }
      flushing ??= new Promise((done, failed) => {
        setImmediate(() => {
          flushing = undefined
          if (flush()) done()
          else failed(new Failure('audit_failed'))
        })
      })
      // Whoever recorded awaits it, some only at the end: a failure before that is not unhandled.
      flushing.catch(() => {})
      return flushing
    },
    device: (path) => open.get(path),
    reopen() {
      for (const each of open.values()) {
        const { entry, device } = each
        try {
          // One that could not be opened before may have its folder or its space back now.
          if (device) device.reopen()
          else each.device = typeOf.get(entry.type)?.open(entry.options)
        } catch (error) {
          report(`audit device ${entry.path} does not reopen: ${(error as Error).message}`)
        }
      }
    },
    close() {
      flush()
      for (const { device } of open.values()) device?.close()
      open.clear()
      followed = undefined
    },
  }
}
