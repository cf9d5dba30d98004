/** Google Cloud: its configuration and accounts are kept; keys and tokens are not made. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { nameList, type Settings, storedSettings, unsupported } from '../../kit/stored-settings.ts'
import { isObject } from '../../lib/json.ts'
import { parseBindings } from './bindings.ts'

const NO_CREDENTIALS = 'credentials from gcp are not supported by this build'

const account = {
  secret_type: t.string({
    help: 'access_token or service_account_key.',
    default: 'access_token',
    clear: true,
  }),
  bindings: t.string({ help: 'Roles by resource, as HCL or its base64.' }),
  token_scopes: t.list({ help: 'Scopes of its tokens.', clear: true }),
}

function checkAccount(all: Settings, needed: string): Settings {
  if (all[needed] === '') refuse(`${needed} is required`)
  const type = all['secret_type']
  if (type !== 'access_token' && type !== 'service_account_key') {
    refuse('invalid "secret_type"; expected access_token or service_account_key')
  }
  const scopes = (all['token_scopes'] as string[] | null)?.length ?? 0
  if (type === 'access_token' && scopes === 0) {
    refuse('access token role sets must have at least one scope')
  }
  const { bindings } = all
  return { bindings: typeof bindings === 'string' && bindings ? parseBindings(bindings) : bindings }
}

/** What is empty is left out. */
const filled = (shown: Settings) =>
  Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== '' && value !== null))

export default defineEngine({
  type: 'gcp',
  help: 'Configuration for credentials of Google Cloud, which this build does not make.',
  endpoints: [
    ...storedSettings('config', {
      help: 'How Google Cloud would be reached.',
      verbs: ['read'],
      fields: {
        credentials: t.string({ help: 'Key of a service account, as JSON.', sensitive: true }),
        ttl: t.duration({ help: 'The first lifetime of keys.', clear: true }),
        max_ttl: t.duration({ help: 'The longest lifetime of keys.', clear: true }),
      },
      accept(all) {
        if (all['credentials'] !== '') checkCredentials(String(all['credentials']))
        const max = Number(all['max_ttl'])
        if (max > 0 && Number(all['ttl']) > max) refuse('ttl cannot be greater than max_ttl')
      },
    }),
    ...storedSettings('roleset/:name', {
      help: 'An account that would be made for a set of roles.',
      lists: ['roleset'],
      toldApart: true,
      fields: { ...account, project: t.string({ help: 'Project of the account.' }) },
      accept(all) {
        if (all['bindings'] === '') refuse('bindings are required')
        return checkAccount(all, 'project')
      },
      show: filled,
    }),
    ...storedSettings('static-account/:name', {
      help: 'An account that exists already.',
      lists: ['static-account'],
      toldApart: true,
      fields: { ...account, service_account_email: t.string({ help: 'Its address.' }) },
      accept: (all) => checkAccount(all, 'service_account_email'),
      show: filled,
    }),
    ...storedSettings('impersonated-account/:name', {
      help: 'An account that would be impersonated.',
      lists: ['impersonated-account'],
      toldApart: true,
      fields: {
        service_account_email: t.string({ help: 'Its address.' }),
        token_scopes: t.list({ help: 'Scopes of its tokens.', clear: true }),
        ttl: t.duration({ help: 'Lifetime of its tokens.', clear: true }),
      },
      accept(all) {
        if (all['service_account_email'] === '') refuse('service_account_email is required')
        if (!(all['token_scopes'] as string[] | null)?.length) refuse('token_scopes is required')
      },
      show: filled,
    }),
    nameList('rolesets', 'roleset/'),
    nameList('static-accounts', 'static-account/'),
    nameList('impersonated-accounts', 'impersonated-account/'),
    unsupported('config/rotate-root', NO_CREDENTIALS),
    unsupported('roleset/:name/rotate', NO_CREDENTIALS),
    unsupported('roleset/:name/rotate-key', NO_CREDENTIALS),
    unsupported('static-account/:name/rotate-key', NO_CREDENTIALS),
    ...[
      'roleset/:name/key',
      'roleset/:name/token',
      'static-account/:name/key',
      'static-account/:name/token',
      'impersonated-account/:name/token',
      'key/:roleset',
      'token/:roleset',
    ].map((path) => unsupported(path, NO_CREDENTIALS, { verbs: ['read', 'write'] })),
  ],
})

function checkCredentials(text: string): void {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    refuse('error parsing credentials: expected JSON')
  }
  if (!isObject(parsed)) refuse('error parsing credentials: expected an object')
}
