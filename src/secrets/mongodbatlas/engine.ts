/** MongoDB Atlas: its configuration and roles are kept; keys are not made. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'

export default defineEngine({
  type: 'mongodbatlas',
  help: 'Configuration for keys of MongoDB Atlas, which this build does not make.',
  endpoints: [
    ...storedSettings('config', {
      help: 'How Atlas would be reached.',
      verbs: ['read'],
      fields: {
        public_key: t.string({ help: 'Public part of a key.' }),
        private_key: t.string({ help: 'Private part of the key.', sensitive: true }),
      },
      accept(all) {
        if (all['public_key'] === '') refuse('public_key is empty')
        if (all['private_key'] === '') refuse('private_key is empty')
      },
    }),
    ...storedSettings('roles/:name', {
      help: 'What keys of a role would be allowed.',
      lists: ['roles'],
      fields: {
        organization_id: t.string({ help: 'Id of the organization.' }),
        project_id: t.string({ help: 'Id of the project.' }),
        roles: t.list({ help: 'Roles of Atlas.' }),
        project_roles: t.list({ help: 'Roles in the project.' }),
        ip_addresses: t.list({ help: 'Addresses the key may be used from.' }),
        cidr_blocks: t.list({ help: 'Blocks of addresses the key may be used from.' }),
        ttl: t.duration({ help: 'The first lifetime.', clear: true }),
        max_ttl: t.duration({ help: 'The longest lifetime.', clear: true }),
      },
      accept(all) {
        if (all['organization_id'] === '' && all['project_id'] === '') {
          refuse('organization_id or project_id are required')
        }
        if (!(all['roles'] as string[] | null)?.length) refuse('roles is required')
      },
      example: { organization_id: '5b71ff2f96e82120d0aaec14', roles: ['ORG_READ_ONLY'] },
    }),
    unsupported('creds/:name', 'credentials from mongodbatlas are not supported by this build', {
      verbs: ['read', 'write'],
    }),
  ],
})
