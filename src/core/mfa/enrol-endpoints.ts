/**
 * Enrolling with a TOTP method: an entity for itself, or an administrator for it. The key is told
 * once. Whoever has one keeps it until an administrator removes it: a stolen token gets no new one.
 */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { warn } from '../../kit/reply.ts'
import { barcode } from '../../lib/barcode.ts'
import { t } from '../../schema/field.ts'
import { entityById } from '../identity/entities.ts'
import { scopeOf } from '../turn.ts'

import { methodById, type TotpMethod } from './method.ts'
import { makeSecret, removeSecret, secretOf } from './secret.ts'

const method_id = t.string({ help: 'Id of the TOTP method.', required: 'missing method ID' })
const entity_id = t.string({ help: 'Id of the entity.', required: 'missing entity ID' })

export function enrolEndpoints(): Endpoint[] {
  return [
    endpoint('mfa/method/totp/generate', {
      help: 'Enrols the entity of the token, and tells the key for its app.',
      fields: { method_id },
      write: (call) =>
        enrol(
          call,
          call.caller?.entityId || refuse("no entity associated with the request's token"),
        ),
    }),
    endpoint('mfa/method/totp/admin-generate', {
      help: 'Enrols an entity, and tells the key for its app.',
      fields: {
        method_id,
        entity_id,
        force: t.bool({ help: 'Replace a key that is there.', default: false, clear: true }),
      },
      write: (call) => enrol(call, call.data.entity_id, call.data.force),
      example: { method_id: 'method id', entity_id: 'entity id' },
    }),
    endpoint('mfa/method/totp/admin-destroy', {
      help: 'Removes what an entity has enrolled.',
      fields: { method_id, entity_id },
      async write(call) {
        const { id } = await totpMethod(call)
        removeSecret(scopeOf(call as never), id, await entityIn(call, call.data.entity_id))
        return undefined
      },
    }),
  ]
}

type ByMethod = Call<{ method_id: string }>

async function totpMethod(call: ByMethod): Promise<TotpMethod> {
  const method = await methodById(scopeOf(call as never), call.data.method_id)
  if (!method) refuse(`no configuration found for method ID ${JSON.stringify(call.data.method_id)}`)
  return method.type === 'totp' ? method : refuse('the method is not of type TOTP')
}

async function entityIn(call: Call<unknown>, id: string): Promise<string> {
  return (await entityById(scopeOf(call as never), id))?.id ?? refuse('invalid entity ID')
}

async function enrol(call: ByMethod, wanted: string, force = false) {
  const scope = scopeOf(call as never)
  const method = await totpMethod(call)
  const entityId = await entityIn(call, wanted)
  if (!force && (await secretOf(scope, method, entityId))) {
    return warn([`Entity already has a secret for MFA method ${JSON.stringify(method.name)}`])
  }
  const url = makeSecret(scope, { method, entityId, random: call.random })
  return { barcode: await barcode(url, method.qr_size), url }
}
