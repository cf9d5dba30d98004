/** The Kerberos method: its configuration is kept; nobody can log in with it. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'
import { ldapFields } from './ldap-fields.ts'

export default defineEngine({
  type: 'kerberos',
  class: 'auth',
  help: 'Configuration for logins with Kerberos, which this build does not have.',
  endpoints: [
    ...storedSettings('config', {
      help: 'The key of the service.',
      verbs: ['read'],
      replaced: true,
      fields: {
        keytab: t.string({ help: 'The key table, in base64.', sensitive: true }),
        service_account: t.string({ help: 'Name of the service.' }),
        remove_instance_name: t.bool({ help: 'Drop the instance of a name.', clear: true }),
        add_group_aliases: t.bool({ help: 'Groups of LDAP become groups.', clear: true }),
      },
      accept(all) {
        if (all['keytab'] === '') refuse('keytab is required')
        if (all['service_account'] === '') refuse('service_account is required')
      },
    }),
    ...storedSettings('config/ldap', {
      help: 'Where the groups of a user would be looked up.',
      verbs: ['read'],
      tokens: [],
      fields: ldapFields,
    }),
    ...storedSettings('groups/:name', {
      help: 'Policies of a group.',
      lists: ['groups'],
      fields: { policies: t.list({ help: 'Policies of its members.', clear: true }) },
      unset: { policies: [] },
    }),
    unsupported('login', 'login with kerberos is not supported by this build', {
      access: 'login',
      verbs: ['read', 'write'],
    }),
  ],
})
