/**
 * `sys/raw`: entries of the store as they lie below all rules of the API, for those who repair a
 * server. Closed unless the configuration has `raw_storage_endpoint`. What the barrier itself needs
 * (seal, root key, key ring) is no entry and cannot be reached; what key holders have given for a
 * ceremony is theirs.
 */
import { type Tx } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { txOf } from '../turn.ts'
import { CEREMONIES } from './ceremonies.ts'

type Asked = { path: string }

export function rawEndpoints({ settings }: Core): Endpoint[] {
  function opened(call: Call<Asked>): Tx {
    if (!settings.rawStorage) throw new Failure('unsupported_path', undefined, { wrapped: true })
    const path = `${call.data.path}/`
    if (path.startsWith(CEREMONIES)) refuse('what key holders have given cannot be reached')
    // The store's own index, whose names are not hidden.
    if (path.startsWith('due/')) refuse('this is no entry')
    return txOf(call as never)
  }
  return [
    endpoint('raw/:path*', {
      help: 'An entry of the store as it is. Needs raw_storage_endpoint in the configuration.',
      access: 'sudo',
      fields: {
        path: t.rest({ help: 'Where it lies in the store.' }),
        value: t.string({ help: 'The entry: an object as JSON.', sensitive: true }),
        encoding: t.string({ help: 'base64, or nothing for text.', default: '', clear: true }),
        compressed: t.bool({ help: 'Taken: nothing is stored compressed.', clear: true }),
        compression_type: t.string({ help: 'Only nothing.', default: '', clear: true }),
      },
      exists: async (call) => (await opened(call).get(call.data.path)) !== undefined,
      async list(call) {
        const path = call.data.path.replace(/\/$/, '')
        const tx = opened(call)
        // The barrier has no list of the first level.
        if (path === '') refuse('name a folder, such as sys or token')
        return { keys: await tx.list(`${path}/`) }
      },
      async read(call) {
        const found = await opened(call).get(call.data.path)
        if (!found) return undefined
        const text = JSON.stringify(found)
        return { value: isBase64(call.data) ? Buffer.from(text).toString('base64') : text }
      },
      write(call) {
        const tx = opened(call)
        const { path, value, compression_type: compression } = call.data
        if (path === '' || value === undefined) refuse('path and value must be given')
        if (compression !== '') refuse('nothing is stored compressed')
        const entry = entryOf(isBase64(call.data) ? decoded(value) : value)
        tx.put(path, entry, dueOf(entry))
        return undefined
      },
      delete(call) {
        opened(call).remove(call.data.path)
        return undefined
      },
    }),
  ]
}

function isBase64({ encoding }: { encoding: string }): boolean {
  if (encoding !== '' && encoding !== 'base64') refuse('invalid encoding, only base64 is known')
  return encoding === 'base64'
}

function decoded(value: string): string {
  const bytes = Buffer.from(value, 'base64')
  if (bytes.toString('base64') !== value) refuse('value is not base64')
  return bytes.toString('utf8')
}

function entryOf(text: string): Record<string, unknown> {
  try {
    const entry: unknown = JSON.parse(text)
    if (typeof entry === 'object' && entry !== null && !Array.isArray(entry)) {
      return entry as Record<string, unknown>
    }
  } catch {
    // Told below, without what the parser would quote.
  }
  return refuse('value must be an object as JSON')
}

/** What ends by itself must go on doing so: the index of due entries is not part of the entry. */
function dueOf({ kind, expiresAt, irrevocable }: Record<string, unknown>): number | undefined {
  if (kind === 'upgrade') return 0
  if (!['token', 'lease', 'passing'].includes(String(kind)) || irrevocable === true)
    return undefined
  return typeof expiresAt === 'number' && expiresAt > 0 ? expiresAt : undefined
}
