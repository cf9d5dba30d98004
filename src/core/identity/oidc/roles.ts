/** `oidc/role`: roles of identity tokens. */
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { base62 } from '../../../lib/base62.ts'
import { t } from '../../../schema/field.ts'
import { scopeOf } from '../../turn.ts'
import { checkClaimTemplate } from './claims.ts'
import { keyForUse, keySettings } from './key.ts'
import { type Role, roles } from './role.ts'
import { templateText } from './template.ts'

const name = t.name({ help: 'Name of the role.' })
const TTL_SECONDS = 86_400
const CLIENT_ID_CHARS = 26

const fields = {
  name,
  key: t.string({ help: 'The key that signs its tokens.', default: '', clear: true }),
  template: t.string({
    help: 'What its tokens claim besides: JSON with directives, or that in base64.',
    default: '',
  }),
  ttl: t.duration({ help: 'How long its tokens are valid.', default: TTL_SECONDS, clear: true }),
  client_id: t.string({
    help: 'The audience of its tokens; drawn at random unless given.',
    default: '',
    clear: true,
  }),
}

export function roleEndpoints(): Endpoint[] {
  return [
    endpoint('oidc/role', {
      help: 'The names of all roles.',
      fields: {},
      list: async (call) => ({ keys: await roles.names(scopeOf(call as never)) }),
    }),
    endpoint('oidc/role/:name', {
      help: 'A role that identity tokens are issued by.',
      fields,
      async exists(call) {
        return (await roles.get(scopeOf(call as never), call.data.name)) !== undefined
      },
      async read(call) {
        const role = await roles.get(scopeOf(call as never), call.data.name)
        return role && { ...role }
      },
      write: writeRole,
      delete(call) {
        roles.remove(scopeOf(call as never), call.data.name)
        return undefined
      },
      example: { key: 'services', ttl: '1h', template: '{"name": {{identity.entity.name}}}' },
    }),
  ]
}

type RoleCall = Call<{
  name: string
  key: string
  template: string
  ttl: number
  client_id: string
}>

async function writeRole(call: RoleCall) {
  const scope = scopeOf(call as never)
  const stored = await roles.get(scope, call.data.name)
  const role = changed(stored, call)
  if (role.key === '') refuse('the key parameter is required')
  if (call.given.has('template')) checkClaimTemplate(role.template)
  // A role may come before its key; until then it issues nothing.
  const key = await keySettings(scope, role.key)
  if (key && role.ttl > key.verification_ttl) {
    refuse("a role's token ttl cannot be longer than the verification_ttl of the key it references")
  }
  // So that the JWKS has the key before the first token is signed.
  await keyForUse(scope, role.key, call)
  roles.put(scope, call.data.name, role)
  return undefined
}

function changed(stored: Role | undefined, { data, given, random }: RoleCall): Role {
  const clientId = given.has('client_id') ? data.client_id : (stored?.client_id ?? '')
  return {
    key: given.has('key') ? data.key : (stored?.key ?? ''),
    template: given.has('template') ? templateText(data.template) : (stored?.template ?? ''),
    ttl: given.has('ttl') ? data.ttl : (stored?.ttl ?? TTL_SECONDS),
    client_id: clientId || base62(CLIENT_ID_CHARS, random),
  }
}
