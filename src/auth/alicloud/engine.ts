/** The Alibaba Cloud method: its roles are kept; nobody can log in with it. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'

const ARN = /^acs:ram::\d+:role\/.+$/

export default defineEngine({
  type: 'alicloud',
  class: 'auth',
  help: 'Configuration for logins of Alibaba Cloud, which this build does not have.',
  endpoints: [
    ...storedSettings('role/:role', {
      help: 'Who may log in, and what tokens that gives.',
      lists: ['role', 'roles'],
      anyCase: true,
      toldApart: true,
      tokens: ['policies', 'ttl', 'max_ttl', 'period', 'bound_cidrs'],
      fields: { arn: t.string({ help: 'ARN of the role of the caller.' }) },
      accept(all) {
        if (all['arn'] === '') refuse('the arn is required to create a role')
        if (!ARN.test(String(all['arn']))) refuse('unable to parse arn; expected that of a role')
      },
      example: { arn: 'acs:ram::123456789012:role/web', token_policies: ['web'] },
    }),
    unsupported('login', 'login with alicloud is not supported by this build', {
      access: 'login',
    }),
  ],
})
