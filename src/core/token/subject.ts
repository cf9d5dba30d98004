/** Which token a request is about: its own, one named by its id, or one named by its accessor. */
import { type Call } from '../../kit/call.ts'
import { Failure } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { isAccessor } from '../token-format.ts'
import { type TokenEntry } from '../tokens.ts'
import { isHere, policyPathOf, turnOf, txOf } from '../turn.ts'

export const tokenField = t.string({ help: 'The token.', sensitive: true })
export const unusedTokenField = t.string({
  help: 'Not used: the token is the one that asks.',
  sensitive: true,
})
export const accessorField = t.string({ help: 'The accessor of the token.' })

/** The token that asks. What it has left of a limited number of uses is counted already. */
export function ownToken(call: Call<unknown>): { id: string; entry: TokenEntry } {
  const { request, token } = turnOf(call as never)
  if (!token || request.token === undefined) throw new TypeError('the endpoint must not be public')
  return { id: request.token, entry: token }
}

/** The valid token of this id. The one that asks is found even in its last use. */
export async function tokenById(
  core: Core,
  call: Call<unknown>,
  id: string,
): Promise<TokenEntry | undefined> {
  const own = ownToken(call)
  if (own.id === id) return own.entry
  return here(call, await core.tokens.find(txOf(call as never), id, call.now))
}

/** The valid token of this accessor; what is no accessor in form never becomes a storage path. */
export async function tokenByAccessor(
  core: Core,
  call: Call<unknown>,
  accessor: string | undefined,
): Promise<TokenEntry | undefined> {
  if (!accessor) throw new Failure('bad_request', 'missing accessor', { wrapped: true })
  if (!isAccessor(accessor)) return undefined
  return here(call, await core.tokens.byAccessor(txOf(call as never), accessor, call.now))
}

async function here(
  call: Call<unknown>,
  entry: TokenEntry | undefined,
): Promise<TokenEntry | undefined> {
  return entry && (await isHere(call as never, entry.namespace)) ? entry : undefined
}

export const invalidAccessor = () =>
  new Failure('bad_request', 'invalid accessor', { wrapped: true })

/** Whether the caller has sudo on this path: asked where some of what an endpoint does needs it. */
export function hasSudo(call: Call<unknown>): boolean {
  const turn = turnOf(call as never)
  const { acl, operation, request } = turn
  const { data, wrapTtlSeconds } = request
  const path = policyPathOf(turn, turn.path)
  return acl?.check({ path, operation, data, wrapTtlSeconds }).sudo ?? false
}
