/** The Azure method: its configuration and roles are kept; nobody can log in with it. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'

const NO_LOGIN = 'login with azure is not supported by this build'
const ROOT_PASSWORD_TTL_SECONDS = 182.5 * 86_400

const bound = {
  bound_service_principal_ids: t.list({ help: 'Ids of service principals.' }),
  bound_group_ids: t.list({ help: 'Ids of groups.' }),
  bound_locations: t.list({ help: 'Locations.' }),
  bound_subscription_ids: t.list({ help: 'Ids of subscriptions.' }),
  bound_resource_groups: t.list({ help: 'Resource groups.' }),
  bound_scale_sets: t.list({ help: 'Scale sets.' }),
}

export default defineEngine({
  type: 'azure',
  class: 'auth',
  help: 'Configuration for logins of Azure, which this build does not have.',
  endpoints: [
    ...storedSettings('config', {
      help: 'How Azure would be reached.',
      toldApart: true,
      fields: {
        tenant_id: t.string({ help: 'Id of the tenant.' }),
        resource: t.string({ help: 'The application that tokens are for.' }),
        environment: t.string({ help: 'The cloud, such as AzurePublicCloud.', clear: true }),
        client_id: t.string({ help: 'Id of the application.' }),
        client_secret: t.string({ help: 'Secret of the application.', sensitive: true }),
        root_password_ttl: t.duration({
          help: 'How long a rotated secret of the application would last.',
          default: ROOT_PASSWORD_TTL_SECONDS,
          clear: true,
        }),
      },
      accept(all) {
        if (all['tenant_id'] === '') refuse('tenant_id is required')
        if (all['resource'] === '') refuse('resource is required')
      },
    }),
    ...storedSettings('role/:name', {
      help: 'Who may log in, and what tokens that gives.',
      lists: ['role'],
      anyCase: true,
      toldApart: true,
      tokens: ['policies', 'ttl', 'max_ttl', 'period', 'num_uses'],
      fields: bound,
      accept(all) {
        if (Object.keys(bound).some((name) => (all[name] as string[] | null)?.length)) return
        refuse('must have at least one bound constraint when creating/updating a role')
      },
      example: { bound_subscription_ids: ['00000000-0000-0000-0000-000000000000'] },
    }),
    unsupported('rotate-root', NO_LOGIN),
    unsupported('login', NO_LOGIN, { access: 'login' }),
  ],
})
