/**
 * `revoke`, `revoke-self`, `revoke-accessor`, `revoke-orphan`: the end of a token. With it go its
 * children, its leases and its cubbyhole, in the same transaction as the answer.
 */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { warn } from '../../kit/reply.ts'
import { type Core } from '../core.ts'
import { type TokenEntry } from '../tokens.ts'
import { txOf } from '../turn.ts'
import {
  accessorField,
  hasSudo,
  ownToken,
  tokenByAccessor,
  tokenById,
  tokenField,
} from './subject.ts'

export function revokeEndpoints(core: Core): Endpoint[] {
  const endTree = async (call: Call<unknown>, entry: TokenEntry) => {
    refuseBatch(entry)
    await core.tokens.revokeTree(txOf(call as never), entry)
    return undefined
  }
  return [
    endpoint('revoke', {
      help: 'Ends a token and all its children. A token that is not there has ended already.',
      fields: { token: tokenField },
      async write(call) {
        const entry = await tokenById(core, call, tokenOf(call))
        return entry && endTree(call, entry)
      },
    }),
    endpoint('revoke-self', {
      help: 'Ends the token that asks and all its children.',
      fields: {},
      write: (call) => endTree(call, ownToken(call).entry),
    }),
    endpoint('revoke-accessor', {
      help: 'Ends the token of an accessor and all its children.',
      fields: { accessor: accessorField },
      async write(call) {
        const entry = await tokenByAccessor(core, call, call.data.accessor)
        return entry ? endTree(call, entry) : warn(['No token found with this accessor'])
      },
    }),
    endpoint('revoke-orphan', {
      help: 'Ends one token; its children live on without a parent. Needs sudo.',
      fields: { token: tokenField },
      async write(call) {
        const id = tokenOf(call)
        if (!hasSudo(call)) refuse('root or sudo privileges required to revoke and orphan')
        const entry = await tokenById(core, call, id)
        if (!entry) refuse('token to revoke not found')
        refuseBatch(entry)
        await core.tokens.revokeOrphaning(txOf(call as never), entry)
        return undefined
      },
    }),
  ]
}

function tokenOf({ data }: Call<{ token: string | undefined }>): string {
  return data.token || refuse('missing token ID')
}

function refuseBatch(entry: TokenEntry): void {
  if (entry.type === 'batch') refuse('batch tokens cannot be revoked')
}
