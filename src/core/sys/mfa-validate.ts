/** The second half of a login that needs a second factor: what was missing, and then the token. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure } from '../../kit/failure.ts'
import { reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { standingOf } from '../identity/standing.ts'
import { issueLogin } from '../issue.ts'
import { credentialsOfPayload } from '../mfa/credentials.ts'
import { enforcementsFor } from '../mfa/enforcement.ts'
import { mountOfRequest, satisfy, waitingRequest } from '../mfa/second-factor.ts'
import { turnOf } from '../turn.ts'

export function mfaValidateEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('mfa/validate', {
      help: 'Brings the second factor of a login, which then gets its token.',
      access: 'login',
      fields: {
        mfa_request_id: t.string({
          help: 'As the login was told.',
          required: 'missing mfa_request_id',
          sensitive: true,
        }),
        mfa_payload: t.map({
          help: 'By id or name of a method, a list of passcodes for it.',
          required: 'missing mfa_payload',
          sensitive: true,
        }),
      },
      write: (call) => validate(call, core),
      example: { mfa_request_id: 'from the login', mfa_payload: { 'method id': ['123456'] } },
    }),
  ]
}

type Given = { mfa_request_id: string; mfa_payload: Record<string, unknown> }

/** Everything is judged as it is now: mount, entity and what is asked of it may have changed. */
async function validate(call: Call<Given>, core: Core) {
  const turn = turnOf(call as never)
  const { tx, scope, ns, now } = turn
  if (!tx || !scope) throw new Failure('sealed')
  const credentials = credentialsOfPayload(call.data.mfa_payload)
  const request = await waitingRequest(tx, call.data.mfa_request_id, { namespaceId: ns.id, now })
  const { grant, entityId, requestPath: path } = request
  const mount = await mountOfRequest(scope, core, request)
  const standing = entityId === '' ? undefined : await standingOf(scope, entityId)
  // Gone or disabled since the first factor.
  if (entityId !== '' && (!standing || standing.entity.disabled)) {
    throw new Failure('permission_denied')
  }
  const required = await enforcementsFor(scope, { mount: mount.entry, standing })
  await satisfy(turn, { required, entityId: standing?.entity.id ?? '', credentials })
  tx.remove(request.path)
  const issued = issueLogin(tx, core.tokens, { grant, mount, ns, standing, path, now })
  turn.made.tokens.push(issued.entry)
  return reply({
    auth: issued.auth,
    ...(issued.warnings.length > 0 && { warnings: issued.warnings }),
  })
}
