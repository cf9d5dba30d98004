/** `accessors` and `tidy`: what an operator asks about all tokens at once. */
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { accepted } from '../../kit/reply.ts'
import { type Core } from '../core.ts'
import { scopeOf, turnOf } from '../turn.ts'

export function upkeepEndpoints(core: Core): Endpoint[] {
  let tidying = false
  /** A token and all that hangs on it go in one transaction, so what is past its time is all there is. */
  const tidy = async () => {
    if (tidying) return
    tidying = true
    try {
      await core.expiry.pass()
      core.log('info', 'token tidy finished')
    } catch (error) {
      core.log('error', `token tidy failed: ${error instanceof Error ? error.name : 'unknown'}`)
    } finally {
      tidying = false
    }
  }
  return [
    endpoint('accessors', {
      help: 'The accessors of all tokens of the namespace: a list to revoke by, so it needs sudo.',
      access: 'sudo',
      fields: {},
      list: async (call) => ({ keys: await core.tokens.accessors(scopeOf(call as never)) }),
    }),
    endpoint('tidy', {
      help: 'Removes tokens and leases that have ended and were left behind.',
      fields: {},
      write(call) {
        // The request must not wait for it, nor be undone by it.
        turnOf(call as never).afterCommit.push(() => void setImmediate(() => void tidy()))
        return accepted(
          tidying
            ? 'Tidy operation already in progress.'
            : 'Tidy operation successfully started. Any information from the operation will be ' +
                "printed to Vault's server logs.",
        )
      },
    }),
  ]
}
