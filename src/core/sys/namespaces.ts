/**
 * `sys/namespaces`: the namespaces below the one that is asked, made, told of, noted on and ended.
 * A path names a namespace below; nothing names the one that is asked, or one beside it.
 */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Answer, reply, warn } from '../../kit/reply.ts'
import { base62 } from '../../lib/base62.ts'
import { uuid } from '../../lib/random.ts'
import { t } from '../../schema/field.ts'
import { firstMounts } from '../bootstrap.ts'
import { type Core } from '../core.ts'
import {
  isWithin,
  type Namespace,
  type NamespaceEntry,
  namespacesOf,
  prefixOfHome,
  saveNamespaces,
  scopeIn,
} from '../namespaces.ts'
import { checkedPairs } from '../identity/fields.ts'
import { putDefaultPolicy } from '../policy-store.ts'
import { scopeOf, turnOf, txOf } from '../turn.ts'
import { checkNamespaceName } from './namespace-name.ts'
import { requirePlainPath } from './mounts-path.ts'
import { namespaceBelow } from './namespaces-below.ts'
import { lockEndpoints } from './namespaces-lock.ts'
import { finishEndingNamespaces } from './namespaces-end.ts'
import { aclOfAsker } from './ui-mounts.ts'

const ID_CHARS = 6
const ID_TRIES = 100

const fields = {
  seal: t.any({ help: 'Refused: a namespace has no seal of its own.' }),
  path: t.rest({ help: 'The namespace, by its path below this one.' }),
  custom_metadata: t.any({
    help: 'Notes, as an object of strings. A PATCH with null removes one.',
  }),
}

type NamespaceCall = Call<{ path: string; custom_metadata: unknown; seal: unknown }>

export function namespaceEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('namespaces', {
      help: 'The namespaces directly below this one; a SCAN shows those below them too.',
      fields: {},
      list: (call) => listed(call, (child, ns) => child.parent?.uuid === ns.uuid),
      scan: (call) => listed(call, (below, ns) => below !== ns && isWithin(below, ns)),
    }),
    ...lockEndpoints(),
    endpoint('namespaces/:path*', {
      help: 'A namespace: mounts, policies, identities, tokens and leases of its own.',
      fields,
      async read(call) {
        requirePlainPath(call as never)
        const found = await namespaceBelow(call as never, call.data.path)
        return found && namespaceInfo(found)
      },
      write: (call) => createNamespace(call, core),
      patch: patchNamespace,
      delete: (call) => endNamespace(call, core),
      example: { custom_metadata: { owner: 'web' } },
    }),
    endpoint('internal/ui/namespaces', {
      help: 'The namespaces below this one that the caller can do something in.',
      access: 'public',
      fields: {},
      read: (call) => listForUi(call as never, core),
    }),
  ]
}

/** As the API shows it. */
export function namespaceInfo(entry: NamespaceEntry): Record<string, unknown> {
  return {
    custom_metadata: entry.custom_metadata,
    id: entry.id,
    locked: entry.unlock_digest !== undefined,
    path: entry.path,
    tainted: entry.tainted ?? false,
    uuid: entry.uuid,
  }
}

async function listed(
  call: Call<unknown>,
  isOf: (namespace: Namespace, ns: Namespace) => boolean,
): Promise<Record<string, unknown>> {
  const { ns } = turnOf(call as never)
  const all = await namespacesOf(txOf(call as never))
  const found = [...(all?.byPath.values() ?? [])].filter((one) => isOf(one, ns))
  const named = found.map((child) => [child.path.slice(ns.path.length), child] as const)
  const sorted = named.toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (sorted.length === 0) return { keys: [] }
  return {
    key_info: Object.fromEntries(sorted.map(([name, child]) => [name, namespaceInfo(child)])),
    keys: sorted.map(([name]) => name),
  }
}

async function createNamespace(call: NamespaceCall, core: Core): Promise<Answer> {
  requirePlainPath(call as never)
  const notes = notesOf(call.data.custom_metadata)
  // Whoever asks for it relies on it.
  if (call.data.seal) refuse('a namespace with a seal of its own is not supported')
  const found = await namespaceBelow(call as never, call.data.path)
  if (found) return changeNotes(call, found, notes ?? found.custom_metadata)
  const tx = txOf(call as never)
  const { ns } = turnOf(call as never)
  const name = call.data.path.replace(/\/$/, '')
  const { mounts } = await core.mounts.table(scopeOf(call as never))
  checkNamespaceName(name, { parentPath: ns.path, mounts })
  const all = await namespacesOf(tx)
  const entry: NamespaceEntry = {
    id: newId(call, (id) => all?.byId.has(id) ?? false),
    uuid: uuid(call.random),
    path: `${ns.path}${name}/`,
    custom_metadata: notes ?? {},
  }
  saveNamespaces(tx, [...(all?.entries ?? []), entry])
  const scope = scopeIn(tx, { prefix: prefixOfHome(entry) })
  core.mounts.save(scope, firstMounts(call.random, { namespaced: true }))
  putDefaultPolicy(scope)
  return namespaceInfo(entry)
}

function newId({ random }: NamespaceCall, taken: (id: string) => boolean): string {
  for (let tries = 0; tries < ID_TRIES; tries++) {
    const id = base62(ID_CHARS, random)
    if (!taken(id)) return id
  }
  throw new Error('no free id for a namespace was found')
}

async function patchNamespace(call: NamespaceCall): Promise<Answer> {
  requirePlainPath(call as never)
  const found = await namespaceBelow(call as never, call.data.path)
  if (!found) throw new Failure('not_found', 'requested namespace does not exist')
  return changeNotes(call, found, mergedNotes(found.custom_metadata, call.data.custom_metadata))
}

async function changeNotes(
  call: NamespaceCall,
  { uuid: changed, tainted }: Namespace,
  notes: Record<string, string>,
): Promise<Record<string, unknown>> {
  if (tainted) refuse('the namespace is being deleted')
  const tx = txOf(call as never)
  const all = await namespacesOf(tx)
  const entries = all!.entries.map((entry) =>
    entry.uuid === changed ? { ...entry, custom_metadata: notes } : entry,
  )
  saveNamespaces(tx, entries)
  return namespaceInfo(entries.find((entry) => entry.uuid === changed)!)
}

const notStrings = (): never => refuse('custom_metadata must be an object of strings')

function notesOf(given: unknown): Record<string, string> | undefined {
  if (given === undefined || given === null) return undefined
  return mergedNotes({}, given)
}

/** RFC 7386: what is null goes, what is not named stays. */
function mergedNotes(before: Record<string, string>, given: unknown): Record<string, string> {
  if (given === undefined) return before
  if (given === null) return {}
  if (typeof given !== 'object' || Array.isArray(given)) return notStrings()
  const notes = new Map(Object.entries(before))
  for (const [name, value] of Object.entries(given)) {
    if (value === null) notes.delete(name)
    else if (typeof value === 'string') notes.set(name, value)
    else notStrings()
  }
  return checkedPairs(Object.fromEntries(notes), 'custom_metadata')
}

/** It is out of reach from the commit on; what it held is ended after the answer. */
async function endNamespace(call: NamespaceCall, core: Core): Promise<Answer> {
  requirePlainPath(call as never)
  const found = await namespaceBelow(call as never, call.data.path)
  if (!found) return warn(['requested namespace does not exist'])
  const tx = txOf(call as never)
  const all = (await namespacesOf(tx))!
  const below = all.entries.some(({ path }) => path !== found.path && path.startsWith(found.path))
  if (below) refuse(`cannot delete namespace "${found.path}" containing child namespaces`)
  if (!found.tainted) {
    saveNamespaces(
      tx,
      all.entries.map((entry) => (entry.uuid === found.uuid ? { ...entry, tainted: true } : entry)),
    )
  }
  // Not awaited: the answer need not wait for the clean-up.
  turnOf(call as never).afterCommit.push(
    () => void setImmediate(() => void finishEndingNamespaces(core)),
  )
  return reply({ status: 202, data: { status: 'in-progress' } })
}

async function listForUi(call: Call<never>, core: Core): Promise<Record<string, unknown>> {
  const asker = await aclOfAsker(call, core)
  if (!asker) throw new Failure('permission_denied')
  const { ns } = turnOf(call)
  const all = await namespacesOf(txOf(call))
  const below = [...(all?.byPath.values() ?? [])]
    .filter(({ path, tainted }) => path !== ns.path && path.startsWith(ns.path) && !tainted)
    .map(({ path }) => path.slice(ns.path.length))
  return { keys: below.filter((path) => asker.anyBelow(path)).sort() }
}
