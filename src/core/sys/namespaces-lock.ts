/**
 * `sys/namespaces/api-lock`: an administrator closes a namespace, and all below it, without ending
 * anything. Whoever has the key that came with it, or a root token, opens it again.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { base62 } from '../../lib/base62.ts'
import { t } from '../../schema/field.ts'
import {
  lockedAt,
  lockedFailure,
  type Namespace,
  type NamespaceEntry,
  namespacesOf,
  ROOT,
  saveNamespaces,
} from '../namespaces.ts'
import { turnOf, txOf } from '../turn.ts'
import { requirePlainPath } from './mounts-path.ts'
import { namespaceBelow } from './namespaces-below.ts'

const KEY_CHARS = 24

const path = t.rest({ help: 'A namespace below this one; without it, this one.' })
const unlock_key = t.string({ help: 'The key that locking has returned.', sensitive: true })

export function lockEndpoints(): Endpoint[] {
  const locking = { help: 'Refuses all requests to a namespace and those below it.' }
  const unlocking = { help: 'Ends the lock of a namespace.' }
  return [
    endpoint('namespaces/api-lock/lock', {
      ...locking,
      fields: {},
      write: (call) => lock(call as never, ''),
    }),
    endpoint('namespaces/api-lock/lock/:path*', {
      ...locking,
      fields: { path },
      write: (call) => lock(call as never, call.data.path),
    }),
    endpoint('namespaces/api-lock/unlock', {
      ...unlocking,
      fields: { unlock_key },
      write: (call) => unlock(call as never, '', call.data.unlock_key),
    }),
    endpoint('namespaces/api-lock/unlock/:path*', {
      ...unlocking,
      fields: { path, unlock_key },
      write: (call) => unlock(call as never, call.data.path, call.data.unlock_key),
    }),
  ]
}

async function lock(call: Call<never>, below: string): Promise<Record<string, unknown>> {
  const namespace = await subject(call, below)
  if (namespace.unlock_digest !== undefined) refuse('the namespace is locked already')
  const key = base62(KEY_CHARS, call.random)
  await change(call, namespace, { unlock_digest: digestOf(key) })
  return { unlock_key: key }
}

async function unlock(
  call: Call<never>,
  below: string,
  key: string | undefined,
): Promise<undefined> {
  const namespace = await subject(call, below)
  const above = namespace.parent && lockedAt(namespace.parent)
  if (above) throw lockedFailure(above)
  if (namespace.unlock_digest === undefined) return refuse('the namespace is not locked')
  if (!turnOf(call).acl!.root) {
    if (!key) return refuse('unlock_key must be specified')
    if (!isKey(key, namespace.unlock_digest)) return refuse('the unlock key is not valid')
  }
  await change(call, namespace, {})
  return undefined
}

/** The namespace that is spoken of. The root has no lock: that is what sealing is for. */
async function subject(call: Call<never>, below: string): Promise<Namespace> {
  requirePlainPath(call)
  const found = below === '' ? turnOf(call).ns : await namespaceBelow(call, below)
  if (!found) return refuse('requested namespace does not exist')
  if (found === ROOT) return refuse('the root namespace cannot be locked or unlocked')
  return found
}

async function change(
  call: Call<never>,
  { uuid }: Namespace,
  to: Pick<NamespaceEntry, 'unlock_digest'>,
): Promise<void> {
  const tx = txOf(call)
  const all = await namespacesOf(tx)
  const entries = all!.entries.map((entry) => {
    if (entry.uuid !== uuid) return entry
    const { unlock_digest: _, ...rest } = entry
    return { ...rest, ...to }
  })
  saveNamespaces(tx, entries)
}

/** Of 24 random letters: nothing that could be guessed from its digest. */
const digestOf = (key: string) => createHash('sha256').update(key).digest('base64url')

const isKey = (key: string, digest: string) =>
  timingSafeEqual(Buffer.from(digestOf(key)), Buffer.from(digest))
