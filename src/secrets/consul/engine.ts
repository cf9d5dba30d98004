/** Consul: its configuration and roles are kept; tokens are not made. */
import { defineEngine, Failure, refuse, t } from '../../kit/kit.ts'
import { type Settings, storedSettings, unsupported } from '../../kit/stored-settings.ts'

const NOT_CONFIGURED =
  "access credentials for the backend itself haven't been configured; please configure them at" +
  " the '/config/access' endpoint"

const LISTS = ['consul_policies', 'consul_roles', 'service_identities', 'node_identities'] as const

function checkRole(all: Settings): Settings {
  const type = String(all['token_type'])
  if (type !== 'client' && type !== 'management') {
    refuse('token_type must be "client" or "management"')
  }
  const policies = (all['consul_policies'] ?? all['policies']) as string[] | null
  const lists = [policies, ...LISTS.slice(1).map((name) => all[name] as string[] | null)]
  if (type === 'client' && all['policy'] === '' && !lists.some((list) => list?.length)) {
    refuse(
      'Use either a policy document, a list of policies or roles, or a set of service or node' +
        ' identities, depending on your Consul version',
    )
  }
  return { consul_policies: policies, ttl: all['ttl'] || all['lease'] }
}

/** Lists are there when they hold something. */
function shownRole(shown: Settings): Record<string, unknown> {
  const lists = LISTS.filter((name) => (shown[name] as string[] | null)?.length)
  const { consul_namespace, local, max_ttl, partition, policy, token_type, ttl } = shown
  return {
    consul_namespace,
    lease: ttl,
    local,
    max_ttl,
    partition,
    token_type: token_type ?? 'client',
    ttl,
    ...(policy !== undefined && policy !== '' && { policy }),
    ...Object.fromEntries(lists.map((name) => [name, shown[name]])),
  }
}

export default defineEngine({
  type: 'consul',
  help: 'Configuration for tokens of Consul, which this build does not make.',
  endpoints: [
    ...storedSettings('config/access', {
      help: 'How Consul would be reached.',
      verbs: ['read'],
      replaced: true,
      fields: {
        address: t.string({ help: 'Host and port of the server.', clear: true }),
        scheme: t.string({ help: 'http or https.', default: 'http', clear: true }),
        token: t.string({ help: 'A token that may make tokens.', sensitive: true }),
        ca_cert: t.string({ help: 'The certificate authority of the server, as PEM.' }),
        client_cert: t.string({ help: 'A certificate for the server, as PEM.' }),
        client_key: t.string({ help: 'Its key, as PEM.', sensitive: true }),
      },
      accept(all) {
        if ((all['client_cert'] === '') !== (all['client_key'] === '')) {
          refuse('client_cert and client_key must be set together')
        }
      },
      show: ({ address, scheme }) => ({ address, scheme }),
      notThere: () => new Failure('bad_request', NOT_CONFIGURED),
      example: { address: '127.0.0.1:8500', scheme: 'https' },
    }),
    ...storedSettings('roles/:name', {
      help: 'What tokens of a role would be allowed.',
      lists: ['roles'],
      fields: {
        consul_policies: t.list({ help: 'Policies of Consul.' }),
        consul_roles: t.list({ help: 'Roles of Consul.' }),
        service_identities: t.list({ help: 'Identities of services.' }),
        node_identities: t.list({ help: 'Identities of nodes.' }),
        consul_namespace: t.string({ help: 'Namespace of Consul.' }),
        partition: t.string({ help: 'Partition of Consul.' }),
        local: t.bool({ help: 'Tokens stay in their data center.', clear: true }),
        ttl: t.duration({ help: 'The first lifetime.', clear: true }),
        max_ttl: t.duration({ help: 'The longest lifetime.', clear: true }),
        token_type: t.string({
          help: 'client or management.',
          default: 'client',
          deprecated: true,
        }),
        policy: t.string({ help: 'A policy document in base64.', deprecated: true }),
        policies: t.list({ help: 'Use consul_policies instead.', deprecated: true }),
        lease: t.duration({ help: 'Use ttl instead.', deprecated: true }),
      },
      accept: checkRole,
      show: shownRole,
      example: { consul_policies: ['readonly'], ttl: '1h' },
    }),
    unsupported('creds/:role', 'credentials from consul are not supported by this build', {
      verbs: ['read'],
    }),
  ],
})
