/** HCP Terraform: its configuration and roles are kept; tokens are not made. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'

const NO_CREDENTIALS = 'credentials from terraform are not supported by this build'

export default defineEngine({
  type: 'terraform',
  help: 'Configuration for tokens of HCP Terraform, which this build does not make.',
  endpoints: [
    ...storedSettings('config', {
      help: 'How HCP Terraform would be reached.',
      toldApart: true,
      fields: {
        address: t.string({ help: 'Address.', default: 'https://app.terraform.io', clear: true }),
        base_path: t.string({ help: 'Path of its API.', default: '/api/v2/', clear: true }),
        token: t.string({ help: 'A token that may make tokens.', sensitive: true }),
      },
      accept(all) {
        if (all['token'] === '') refuse('missing token')
      },
    }),
    ...storedSettings('role/:name', {
      help: 'Whose tokens a role would give.',
      lists: ['role'],
      named: true,
      fields: {
        organization: t.string({ help: 'Name of the organization.' }),
        team_id: t.string({ help: 'Id of the team.' }),
        user_id: t.string({ help: 'Id of the user.' }),
        ttl: t.duration({ help: 'The first lifetime, of tokens of a user.', clear: true }),
        max_ttl: t.duration({ help: 'The longest lifetime, of tokens of a user.', clear: true }),
      },
      accept(all) {
        if (all['organization'] === '' && all['team_id'] === '' && all['user_id'] === '') {
          refuse('must provide an organization name, team id, or user id')
        }
        if (all['user_id'] !== '' && (all['organization'] !== '' || all['team_id'] !== '')) {
          refuse('cannot provide a user_id in combination with organization or team_id')
        }
      },
      // What is empty is left out.
      show: (shown) => Object.fromEntries(Object.entries(shown).filter(([, value]) => value)),
      example: { organization: 'example', team_id: 'team-1' },
    }),
    unsupported('rotate-role/:name', NO_CREDENTIALS),
    unsupported('creds/:name', NO_CREDENTIALS, { verbs: ['read', 'write'] }),
  ],
})
