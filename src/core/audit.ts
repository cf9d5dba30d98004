/**
 * The audit broker: every entry goes to every device, and counts as written when at least one took
 * it. Entries of one turn of the event loop are written with one system call per device; whoever
 * recorded one waits for that before acting on it.
 */
import { type AuditDeviceType } from '../kit/audit-device.ts'
import { Failure } from '../kit/failure.ts'
import { type Keyring } from '../barrier/keyring.ts'
import { type Tx } from '../barrier/space.ts'
import { type Clock } from '../lib/clock.ts'
import { type Random } from '../lib/random.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'
import { AuditChain, auditSigner, type Checkpoint } from './audit-chain.ts'
import { type Hasher, hasher } from './audit-hash.ts'
import {
  AUDITED_HEADERS_PATH,
  type AuditedHeaders,
  DEFAULT_AUDITED_HEADERS,
} from './audited-headers.ts'
import { type AuditWriter, auditWriter } from './audit-writer.ts'

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
  /** Those of the request that its entries show. */
  readonly headers: AuditedHeaders
}

export type AuditLog = {
  readonly types: ReadonlyMap<string, AuditDeviceType>
  /** Opens and closes devices until they are those of the table. Cheap when nothing has changed. */
  follow(tx: Tx): Awaitable<void>
  /** Resolves when the (open, see AuditChain) entry is written; rejects with audit_failed when no device took it. */
  record(format: (device: DeviceView) => string): Promise<void>
  device(path: string): DeviceView | undefined
  /** A chain for a device that has this prefix before its lines. */
  newChain(keyring: Keyring, prefix: string | undefined): AuditChain
  /** What was written, newest first, of the first device that can read it back. */
  newestFirst(bytesMax: number): AsyncIterable<Buffer>
  reopen(): void
  close(): void
}

export type AuditLogOptions = {
  types: readonly AuditDeviceType[]
  clock: Clock
  random: Random
  report(trouble: string): void
  /** Told of the checkpoints of a device, so that they are kept elsewhere too. */
  witness?(path: string, checkpoint: Checkpoint): void
}

type Open = DeviceView & { readonly writer: AuditWriter }

export function auditLog(options: AuditLogOptions): AuditLog {
  const { types, clock, random } = options
  const typeOf = new Map(types.map((type) => [type.type, type]))
  let followed: AuditTable | undefined
  let open = new Map<string, Open>()
  let flushing: Promise<void> | undefined
  let headers = DEFAULT_AUDITED_HEADERS

  const newChain = (keyring: Keyring, prefix: string | undefined) =>
    new AuditChain(auditSigner(keyring), random, prefix)

  function openDevice(entry: AuditEntry, keyring: Keyring): Open {
    const { path, type, options: wanted } = entry
    return {
      entry,
      writer: auditWriter({
        path,
        open: () => typeOf.get(type)?.open(wanted),
        newChain: () => newChain(keyring, wanted['prefix']),
        clock,
        report: (trouble) => options.report(trouble),
        witness: (checkpoint) => options.witness?.(path, checkpoint),
      }),
      hasher: hasher(entry.salt),
      hashAccessor: wanted['hmac_accessor'] !== 'false',
      elideLists: wanted['elide_list_responses'] === 'true',
      get headers() {
        return headers
      },
    }
  }

  /** Whether a device has taken the lines; a promise when only a slow one can tell. */
  function flush(): Awaitable<boolean> {
    const answers = [...open.values()].map(({ writer }) => writer.flush())
    if (answers.includes(true)) return true
    const slow = answers.filter((answer) => answer instanceof Promise)
    return slow.length === 0 ? false : anyOf(slow)
  }

  function adopt(table: AuditTable | undefined, keyring: Keyring): void {
    if (table === followed) return
    followed = table
    const next = new Map<string, Open>()
    for (const entry of table?.devices ?? []) {
      const same = open.get(entry.path)
      const unchanged = same && JSON.stringify(same.entry) === JSON.stringify(entry)
      next.set(entry.path, unchanged ? same : openDevice(entry, keyring))
    }
    const gone = [...open.values()].filter((o) => next.get(o.entry.path) !== o)
    open = next
    for (const { writer } of gone) writer.close()
  }

  function adoptBoth(tx: Tx, table: AuditTable | undefined): Awaitable<void> {
    adopt(table, tx.keyring)
    if (open.size === 0) return
    return whenReady(tx.get<AuditedHeaders>(AUDITED_HEADERS_PATH), adoptHeaders)
  }

  function adoptHeaders(found: AuditedHeaders | undefined): void {
    headers = found ?? DEFAULT_AUDITED_HEADERS
  }

  return {
    types: typeOf,
    follow: (tx) => whenReady(tx.get<AuditTable>(AUDIT_PATH), (table) => adoptBoth(tx, table)),
    record(format) {
      if (open.size === 0) return Promise.resolve()
      for (const device of open.values()) device.writer.add(format(device))
      flushing ??= new Promise((done, failed) => {
        const told = (taken: boolean) => (taken ? done() : failed(new Failure('audit_failed')))
        setImmediate(() => {
          flushing = undefined
          const taken = flush()
          if (taken instanceof Promise) void taken.then(told)
          else told(taken)
        })
      })
      // Whoever recorded awaits it, some only at the end: a failure before that is not unhandled.
      flushing.catch(() => {})
      return flushing
    },
    device: (path) => open.get(path),
    newChain,
    async *newestFirst(bytesMax) {
      for (const { writer } of open.values()) {
        const blocks = writer.newestFirst(bytesMax)
        if (!blocks) continue
        yield* blocks
        break
      }
    },
    reopen() {
      for (const { writer } of open.values()) writer.reopen()
    },
    close() {
      for (const { writer } of open.values()) writer.close()
      open.clear()
      followed = undefined
    },
  }
}

/** True as soon as one of them is. */
async function anyOf(answers: readonly Promise<boolean>[]): Promise<boolean> {
  const taken = answers.map(async (answer) => {
    if (!(await answer)) throw new Error('not taken')
  })
  return Promise.any(taken).then(
    () => true,
    () => false,
  )
}
