/** `renew`, `renew-self`, `renew-accessor`: a later end for a token. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { type Reply, reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { identityPoliciesOf } from '../grants.ts'
import { authBlock } from '../issue.ts'
import { type TokenEntry } from '../tokens.ts'
import { txOf } from '../turn.ts'
import { renewalLimits, renewed } from './renewal.ts'
import {
  accessorField,
  invalidAccessor,
  ownToken,
  tokenByAccessor,
  tokenById,
  tokenField,
  unusedTokenField,
} from './subject.ts'

const increment = t.duration({ help: 'How long it should live from now.', default: 0, clear: true })

export function renewEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('renew', {
      help: 'Gives a token a later end.',
      fields: { token: tokenField, increment },
      async write(call) {
        const id = call.data.token || refuse('missing token ID')
        return renew(core, call, { id, entry: await tokenById(core, call, id) })
      },
      example: { token: 'hvs.the-token', increment: '1h' },
    }),
    endpoint('renew-self', {
      help: 'Gives the token that asks a later end.',
      fields: { token: unusedTokenField, increment },
      write: (call) => renew(core, call, ownToken(call)),
    }),
    endpoint('renew-accessor', {
      help: 'Gives the token of an accessor a later end, without telling the token.',
      fields: { accessor: accessorField, increment },
      async write(call) {
        const entry = await tokenByAccessor(core, call, call.data.accessor)
        if (!entry) throw invalidAccessor()
        return renew(core, call, { id: '', entry })
      },
    }),
  ]
}

async function renew(
  core: Core,
  call: Call<{ increment: number }>,
  token: { id: string; entry: TokenEntry | undefined },
): Promise<Reply> {
  // A token in its last use ends with this request; it must not be stored again.
  if (!token.entry || token.entry.numUses < 0) refuse('token not found')
  const limits = await renewalLimits(core, call, token.entry)
  const { entry, seconds, warnings } = renewed(token.entry, limits, {
    now: call.now,
    increment: call.data.increment,
  })
  core.tokens.save(txOf(call as never), entry)
  const identityPolicies = await identityPoliciesOf(txOf(call as never), entry)
  const auth = authBlock(token.id, entry, { seconds, identityPolicies })
  return reply({ auth, ...(warnings.length > 0 && { warnings }) })
}
