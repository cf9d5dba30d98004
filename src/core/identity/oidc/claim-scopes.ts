/** `oidc/scope`: what clients may ask to be told. */
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { t } from '../../../schema/field.ts'
import { scopeOf } from '../../turn.ts'
import { claimScopes, OPENID } from './claim-scope.ts'
import { checkClaimTemplate } from './claims.ts'
import { providersOfScope } from './provider.ts'
import { templateText } from './template.ts'

export function claimScopeEndpoints(): Endpoint[] {
  return [
    endpoint('oidc/scope', {
      help: 'The names of all scopes.',
      fields: {},
      list: async (call) => ({ keys: await claimScopes.names(scopeOf(call as never)) }),
    }),
    endpoint('oidc/scope/:name', {
      help: 'Claims that a client may ask for by one name.',
      fields: {
        name: t.name({ help: 'Name of the scope.' }),
        template: t.string({
          help: 'The claims: JSON with directives, or that in base64.',
          default: '',
        }),
        description: t.string({ help: 'What it tells.', default: '', clear: true }),
      },
      async exists(call) {
        return (await claimScopes.get(scopeOf(call as never), call.data.name)) !== undefined
      },
      async read(call) {
        const found = await claimScopes.get(scopeOf(call as never), call.data.name)
        return found && { ...found }
      },
      async write(call) {
        const { data, given } = call
        if (data.name === OPENID) refuse(`the "${OPENID}" scope name is reserved`)
        const scope = scopeOf(call as never)
        const stored = await claimScopes.get(scope, data.name)
        const template = given.has('template')
          ? templateText(data.template)
          : (stored?.template ?? '')
        checkClaimTemplate(template)
        claimScopes.put(scope, data.name, {
          template,
          description: given.has('description') ? data.description : (stored?.description ?? ''),
        })
        return undefined
      },
      async delete(call) {
        const scope = scopeOf(call as never)
        const { name } = call.data
        const users = await providersOfScope(scope, name)
        if (users.length > 0) {
          refuse(
            `unable to delete scope ${JSON.stringify(name)} because it is currently referenced ` +
              `by these providers: ${users.join(', ')}`,
          )
        }
        claimScopes.remove(scope, name)
        return undefined
      },
      example: { template: '{"groups": {{identity.entity.groups.names}}}' },
    }),
  ]
}
