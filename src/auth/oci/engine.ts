/** The Oracle Cloud method: its configuration and roles are kept; nobody can log in with it. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'

export default defineEngine({
  type: 'oci',
  class: 'auth',
  help: 'Configuration for logins of Oracle Cloud, which this build does not have.',
  endpoints: [
    ...storedSettings('config', {
      help: 'The tenancy.',
      toldApart: true,
      fields: { home_tenancy_id: t.string({ help: 'OCID of the tenancy.' }) },
      accept(all) {
        if (all['home_tenancy_id'] === '') refuse('Missing homeTenancyId')
      },
    }),
    ...storedSettings('role/:role', {
      help: 'Who may log in, and what tokens that gives.',
      lists: ['role'],
      anyCase: true,
      toldApart: true,
      tokens: [],
      fields: { ocid_list: t.list({ help: 'OCIDs of groups.' }) },
      example: { ocid_list: ['ocid1.group.oc1..example'], token_policies: ['web'] },
    }),
    unsupported('login/:role', 'login with oci is not supported by this build', {
      access: 'login',
    }),
  ],
})
