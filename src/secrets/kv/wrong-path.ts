/**
 * What the versioned store says at a path that has no meaning in it: most often a client that
 * takes the mount for an unversioned one. Tools match on these words.
 */
import { type Call, endpoint, reply, type Reply, t } from '../../kit/kit.ts'
import { type Awaitable } from '../../lib/awaitable.ts'

const WORD: Readonly<Record<Call<unknown>['operation'], string>> = {
  create: 'put',
  update: 'put',
  patch: 'patch',
  read: 'get',
  list: 'list',
  scan: 'list',
  delete: 'delete',
}

const notHere = (warning: string): Reply => reply({ status: 404, warnings: [warning] })

/** Wraps a handler of `data/…` and the like, since a bare `data` is no path of theirs. */
export function belowRoot<C extends { path: string }, A>(handler: (call: C) => Awaitable<A>) {
  return (call: C): Awaitable<A | Reply> =>
    call.path.includes('/')
      ? handler(call)
      : notHere('Non-listing operations on the root of a K/V v2 mount are not supported.')
}

const explain = ({ operation }: { operation: Call<unknown>['operation'] }): Reply =>
  notHere(
    'Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API' +
      " endpoints to use. If using the Vault CLI, use 'vault kv " +
      `${WORD[operation]}' for this operation.`,
  )

export const anythingElse = endpoint(':path*', {
  help: 'No such path: secrets are at data/, their settings at metadata/.',
  hidden: true,
  anyBody: true,
  fields: { path: t.rest({ help: 'A path that is none of this engine.' }) },
  read: explain,
  list: explain,
  scan: explain,
  write: explain,
  patch: explain,
  delete: explain,
})
