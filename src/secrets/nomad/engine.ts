/** Nomad: its configuration and roles are kept; tokens are not made. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { storedSettings, unsupported } from '../../kit/stored-settings.ts'

export default defineEngine({
  type: 'nomad',
  help: 'Configuration for tokens of Nomad, which this build does not make.',
  endpoints: [
    ...storedSettings('config/access', {
      help: 'How Nomad would be reached.',
      toldApart: true,
      fields: {
        address: t.string({ help: 'Address of the server.', clear: true }),
        token: t.string({ help: 'A token that may make tokens.', sensitive: true }),
        max_token_name_length: t.int({ help: 'Longest name of a token.', clear: true }),
        ca_cert: t.string({ help: 'The certificate authority of the server, as PEM.' }),
        client_cert: t.string({ help: 'A certificate for the server, as PEM.' }),
        client_key: t.string({ help: 'Its key, as PEM.', sensitive: true }),
      },
      show: ({ address, max_token_name_length }) => ({ address, max_token_name_length }),
      example: { address: 'https://127.0.0.1:4646' },
    }),
    ...storedSettings('config/lease', {
      help: 'How long tokens would last.',
      fields: {
        ttl: t.duration({ help: 'The first lifetime.', clear: true }),
        max_ttl: t.duration({ help: 'The longest lifetime.', clear: true }),
      },
      example: { ttl: '1h', max_ttl: '24h' },
    }),
    ...storedSettings('role/:name', {
      help: 'What tokens of a role would be allowed.',
      lists: ['role'],
      toldApart: true,
      fields: {
        policies: t.list({ help: 'Policies of Nomad.' }),
        global: t.bool({ help: 'Tokens are valid in every region.', clear: true }),
        type: t.string({ help: 'client or management.', default: 'client', clear: true }),
      },
      accept({ type, policies }) {
        const count = (policies as string[] | null)?.length ?? 0
        if (type !== 'client' && type !== 'management') {
          refuse('type must be "client" or "management"')
        }
        if (type === 'client' && count === 0) {
          refuse('policies cannot be empty when using client tokens')
        }
        if (type === 'management' && count > 0) {
          refuse('policies should be empty when using management tokens')
        }
      },
      example: { policies: ['readonly'] },
    }),
    unsupported('creds/:name', 'credentials from nomad are not supported by this build', {
      verbs: ['read'],
    }),
  ],
})
