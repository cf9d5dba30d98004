/** RabbitMQ: its configuration and roles are kept; users are not made. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { type Settings, storedSettings, unsupported } from '../../kit/stored-settings.ts'
import { isObject } from '../../lib/json.ts'

const NO_CREDENTIALS = 'credentials from rabbitmq are not supported by this build'

/** Permissions come as the text of a JSON object, and are shown as the object. */
function jsonObject(all: Settings, name: string): unknown {
  const given = all[name]
  if (typeof given !== 'string' || given === '') return given === '' ? null : given
  let parsed: unknown
  try {
    parsed = JSON.parse(given)
  } catch {
    return refuse(`failed to unmarshal ${name}: expected JSON`)
  }
  return isObject(parsed) ? parsed : refuse(`failed to unmarshal ${name}: expected an object`)
}

export default defineEngine({
  type: 'rabbitmq',
  help: 'Configuration for users of RabbitMQ, which this build does not make.',
  endpoints: [
    ...storedSettings('config/connection', {
      help: 'How RabbitMQ would be reached.',
      verbs: [],
      fields: {
        connection_uri: t.string({ help: 'Address of the management API.' }),
        username: t.string({ help: 'A user that may make users.' }),
        password: t.string({ help: 'Its password.', sensitive: true }),
        verify_connection: t.bool({ help: 'Has no effect here.', default: true, clear: true }),
        password_policy: t.string({ help: 'Policy of generated passwords.', clear: true }),
        username_template: t.string({ help: 'How user names are made.' }),
      },
      accept(all, call) {
        for (const name of ['connection_uri', 'username', 'password']) {
          if (all[name] === '') refuse(`missing ${name}`)
        }
        if (all['verify_connection'])
          call.warn(`the connection was not verified: ${NO_CREDENTIALS}`)
      },
      example: {
        connection_uri: 'http://127.0.0.1:15672',
        username: 'admin',
        password: 'change-me',
      },
    }),
    ...storedSettings('config/lease', {
      help: 'How long users would last.',
      verbs: ['read'],
      fields: {
        ttl: t.duration({ help: 'The first lifetime.', clear: true }),
        max_ttl: t.duration({ help: 'The longest lifetime.', clear: true }),
      },
      example: { ttl: '1h', max_ttl: '24h' },
    }),
    ...storedSettings('roles/:name', {
      help: 'What users of a role would be allowed.',
      lists: ['roles'],
      replaced: true,
      fields: {
        tags: t.string({ help: 'Tags, separated by commas.' }),
        vhosts: t.string({ help: 'Permissions by virtual host: a JSON object.' }),
        vhost_topics: t.string({ help: 'Permissions by virtual host and topic: a JSON object.' }),
      },
      accept(all) {
        if (all['tags'] === '' && all['vhosts'] === '' && all['vhost_topics'] === '') {
          refuse('both tags and vhosts not specified')
        }
        return {
          vhosts: jsonObject(all, 'vhosts'),
          vhost_topics: jsonObject(all, 'vhost_topics'),
        }
      },
      example: { vhosts: '{"/":{"write":".*","read":".*"}}' },
    }),
    unsupported('creds/:name', NO_CREDENTIALS, { verbs: ['read'] }),
  ],
})
