/**
 * Who has read a path last, from the audit log: asked for when a secret has leaked, so that a read
 * itself costs nothing more. The newest lines are looked at first, and only so many.
 */
import { isObject } from '../lib/json.ts'
import { type AuditLog } from './audit.ts'

export type Read = {
  readonly time: string
  readonly display_name: string
  readonly entity_id: string
  /** As the device shows it: hashed, unless it was told not to. */
  readonly accessor: string
  readonly remote_address: string
  readonly request_id: string
}

export type LastRead = {
  readonly read: Read | undefined
  /** The time of the oldest line that was looked at; undefined = there is no log to be read. */
  readonly since: string | undefined
}

export type Looked = { readonly namespace: string } & (
  | { readonly path: string }
  | { readonly lease: string }
)

const BYTES_MAX = 32 * 1_048_576

export async function lastRead(audit: AuditLog, looked: Looked): Promise<LastRead> {
  try {
    return await lookBack(audit, looked)
  } catch {
    // Rotated away, or no longer ours to read: what else is known is told all the same.
    return { read: undefined, since: undefined }
  }
}

async function lookBack(audit: AuditLog, looked: Looked): Promise<LastRead> {
  const needle = Buffer.from(
    'path' in looked
      ? `"path":${JSON.stringify(looked.path)}`
      : `"lease_id":${JSON.stringify(looked.lease)}`,
  )
  let since: string | undefined
  for await (const block of audit.newestFirst(BYTES_MAX)) {
    for (let end = block.length; end > 0;) {
      const hit = block.lastIndexOf(needle, end - 1)
      if (hit < 0) break
      const start = block.lastIndexOf('\n', hit) + 1
      const entry = entryIn(lineAt(block, start))
      const read = entry && readIn(entry, looked)
      if (read) return { read, since: read.time }
      end = start
    }
    const oldest = entryIn(lineAt(block, 0))?.['time']
    if (typeof oldest === 'string') since = oldest
  }
  return { read: undefined, since }
}

function lineAt(block: Buffer, start: number): string {
  const end = block.indexOf('\n', start)
  return block.toString('utf8', start, end < 0 ? block.length : end)
}

type Entry = Record<string, unknown>

/** A device may print a prefix before each line, and a crash leaves half lines. */
function entryIn(line: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(line.slice(line.indexOf('{')))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const part = (of: Entry, name: string): Entry => (isObject(of[name]) ? of[name] : {})
const text = (of: Entry, name: string) => (typeof of[name] === 'string' ? of[name] : '')

/** What was read for another answer, such as a search or an index, was told to nobody. */
function readIn(entry: Entry, looked: Looked): Read | undefined {
  const request = part(entry, 'request')
  if (entry['type'] !== 'response' || entry['error'] !== undefined) return undefined
  if (request['operation'] !== 'read' || request['via'] !== undefined) return undefined
  if (part(request, 'namespace')['id'] !== looked.namespace) return undefined
  const isIt =
    'path' in looked
      ? request['path'] === looked.path
      : part(part(entry, 'response'), 'secret')['lease_id'] === looked.lease
  if (!isIt) return undefined
  const auth = part(entry, 'auth')
  return {
    time: text(entry, 'time'),
    display_name: text(auth, 'display_name'),
    entity_id: text(auth, 'entity_id'),
    accessor: text(auth, 'accessor'),
    remote_address: text(request, 'remote_address'),
    request_id: text(request, 'id'),
  }
}
