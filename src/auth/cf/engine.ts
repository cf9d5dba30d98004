/** The Cloud Foundry method: its configuration and roles are kept; nobody can log in with it. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'

const NEEDED = ['identity_ca_certificates', 'cf_api_addr', 'cf_username', 'cf_password'] as const

export default defineEngine({
  type: 'cf',
  class: 'auth',
  help: 'Configuration for logins of Cloud Foundry, which this build does not have.',
  endpoints: [
    ...storedSettings('config', {
      help: 'How Cloud Foundry would be reached.',
      fields: {
        identity_ca_certificates: t.list({ help: 'Authorities of instances, as PEM.' }),
        cf_api_addr: t.string({ help: 'Address of its API.', clear: true }),
        cf_api_trusted_certificates: t.list({ help: 'Authorities of its API, as PEM.' }),
        cf_api_mutual_tls_certificate: t.string({ help: 'A certificate for it, as PEM.' }),
        cf_api_mutual_tls_key: t.string({ help: 'Its key, as PEM.', sensitive: true }),
        cf_username: t.string({ help: 'Who asks.' }),
        cf_password: t.string({ help: 'Its password.', sensitive: true }),
        cf_client_id: t.string({ help: 'Id of a client that asks.' }),
        cf_client_secret: t.string({ help: 'Its secret.', sensitive: true }),
        login_max_seconds_not_before: t.duration({
          help: 'Age of a login.',
          default: 300,
          clear: true,
        }),
        login_max_seconds_not_after: t.int({ help: 'The other way.', default: 60, clear: true }),
        pcf_api_addr: t.string({ help: 'Use cf_api_addr instead.', deprecated: true }),
        pcf_api_trusted_certificates: t.list({ help: 'Use cf_api_…', deprecated: true }),
        pcf_username: t.string({ help: 'Use cf_username instead.', deprecated: true }),
        pcf_password: t.string({
          help: 'Use cf_password instead.',
          deprecated: true,
          sensitive: true,
        }),
      },
      unset: { identity_ca_certificates: [], cf_api_trusted_certificates: [] },
      accept(all) {
        const next = Object.fromEntries(
          ['api_addr', 'api_trusted_certificates', 'username', 'password'].map((name) => {
            const value = all[`cf_${name}`] as string | string[]
            return [`cf_${name}`, value.length > 0 ? value : (all[`pcf_${name}`] ?? value)]
          }),
        )
        const whole: Record<string, unknown> = { ...all, ...next }
        const byClient = all['cf_client_id'] !== '' && all['cf_client_secret'] !== ''
        for (const name of byClient ? NEEDED.slice(0, 2) : NEEDED) {
          if ((whole[name] as string | string[]).length === 0) refuse(`'${name}' is required`)
        }
        return next
      },
    }),
    ...storedSettings('roles/:role', {
      help: 'Who may log in, and what tokens that gives.',
      lists: ['roles'],
      anyCase: true,
      toldApart: true,
      tokens: ['policies', 'ttl', 'max_ttl', 'period', 'bound_cidrs'],
      fields: {
        bound_application_ids: t.list({ help: 'Ids of applications.' }),
        bound_instance_ids: t.list({ help: 'Ids of instances.' }),
        bound_organization_ids: t.list({ help: 'Ids of organizations.' }),
        bound_space_ids: t.list({ help: 'Ids of spaces.' }),
        disable_ip_matching: t.bool({ help: 'From any address.', clear: true }),
      },
      example: { bound_organization_ids: ['34a878d0-c2f9-4521-ba73-a9f664e82c7b'] },
    }),
    unsupported('login', 'login with cf is not supported by this build', { access: 'login' }),
  ],
})
