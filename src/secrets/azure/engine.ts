/** Azure: its configuration and roles are kept; credentials are not made. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { type Settings, storedSettings, unsupported } from '../../kit/stored-settings.ts'

const NO_CREDENTIALS = 'credentials from azure are not supported by this build'
const ROOT_PASSWORD_TTL_SECONDS = 182.5 * 86_400

/** Roles and groups come as the text of a JSON list. */
function jsonList(all: Settings, name: string, what: string): unknown[] | null {
  const given = all[name]
  if (typeof given !== 'string') return given as unknown[] | null
  if (given === '') return null
  let parsed: unknown
  try {
    parsed = JSON.parse(given)
  } catch {
    return refuse(`error parsing Azure ${what}: expected a JSON list`)
  }
  return Array.isArray(parsed) ? parsed : refuse(`error parsing Azure ${what}: expected a list`)
}

function checkRole(all: Settings): Settings {
  const roles = jsonList(all, 'azure_roles', 'roles')
  const groups = jsonList(all, 'azure_groups', 'groups')
  if (!roles?.length && !groups?.length && all['application_object_id'] === '') {
    refuse(
      'either Azure role definitions, group definitions, or an Application Object ID must be provided',
    )
  }
  const max = Number(all['max_ttl'])
  if (max > 0 && Number(all['ttl']) > max) refuse('ttl cannot be greater than max_ttl')
  return { azure_roles: roles, azure_groups: groups }
}

export default defineEngine({
  type: 'azure',
  help: 'Configuration for credentials of Azure, which this build does not make.',
  endpoints: [
    ...storedSettings('config', {
      help: 'How Azure would be reached.',
      toldApart: true,
      fields: {
        subscription_id: t.string({ help: 'Id of the subscription.' }),
        tenant_id: t.string({ help: 'Id of the tenant.' }),
        client_id: t.string({ help: 'Id of the application.' }),
        client_secret: t.string({ help: 'Secret of the application.', sensitive: true }),
        environment: t.string({ help: 'The cloud, such as AzurePublicCloud.', clear: true }),
        password_policy: t.string({ help: 'Policy of generated passwords.', clear: true }),
        root_password_ttl: t.duration({
          help: 'How long a rotated secret of the application would last.',
          default: ROOT_PASSWORD_TTL_SECONDS,
          clear: true,
        }),
      },
      absent: {
        client_id: '',
        environment: '',
        root_password_ttl: 0,
        subscription_id: '',
        tenant_id: '',
      },
      accept(all) {
        if (all['subscription_id'] === '') refuse('subscription_id is required')
        if (all['tenant_id'] === '') refuse('tenant_id is required')
      },
      show: ({ password_policy, ...shown }) => ({
        ...shown,
        ...(password_policy !== '' && { password_policy }),
      }),
    }),
    ...storedSettings('roles/:name', {
      help: 'What credentials of a role would be allowed.',
      lists: ['roles'],
      toldApart: true,
      fields: {
        application_object_id: t.string({ help: 'An application that exists already.' }),
        azure_roles: t.string({ help: 'Roles of Azure: a JSON list.' }),
        azure_groups: t.string({ help: 'Groups of Azure: a JSON list.' }),
        persist_app: t.bool({ help: 'The application stays.', clear: true }),
        permanently_delete: t.bool({ help: 'Deleted applications are purged.', clear: true }),
        ttl: t.duration({ help: 'The first lifetime.', clear: true }),
        max_ttl: t.duration({ help: 'The longest lifetime.', clear: true }),
      },
      accept: checkRole,
      example: { azure_roles: '[{"role_name":"Reader","scope":"/subscriptions/…"}]', ttl: '1h' },
    }),
    unsupported('rotate-root', NO_CREDENTIALS),
    unsupported('creds/:role', NO_CREDENTIALS, { verbs: ['read'] }),
  ],
})
