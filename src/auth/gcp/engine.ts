/** The Google Cloud method: its configuration and roles are kept; nobody can log in with it. */
import { type Call, defineEngine, endpoint, Failure, refuse, t } from '../../kit/kit.ts'
import {
  changeSettings,
  storedSettings,
  type Settings,
  unsupported,
} from '../../kit/stored-settings.ts'
import { isObject } from '../../lib/json.ts'
import { acceptRole, changedList, roleFields, shownRole } from './role.ts'

const METADATA = {
  iam_metadata: ['project_id', 'role', 'service_account_id', 'service_account_email'],
  gce_metadata: [
    'instance_creation_timestamp',
    'instance_id',
    'instance_name',
    'project_id',
    'project_number',
    'role',
    'service_account_id',
    'service_account_email',
    'zone',
  ],
}
const ALIASES = {
  iam_alias: ['role_id', 'unique_id'],
  gce_alias: ['role_id', 'instance_id'],
}

function acceptConfig(all: Settings): Settings {
  for (const [name, known] of Object.entries(ALIASES)) {
    if (!known.includes(String(all[name]))) {
      refuse(`invalid ${name} value; expected one of ${known.join(', ')}`)
    }
  }
  for (const [name, known] of Object.entries(METADATA)) {
    const given = all[name] as string[]
    if (given.join() === 'default' || given.every((field) => known.includes(field))) continue
    refuse(`"${name}" contains an unavailable field, please select from "${known.join(', ')}"`)
  }
  const metadata = Object.entries(METADATA).map(([name, known]) => {
    const given = all[name] as string[]
    return [name, given.join() === 'default' ? known : given]
  })
  return { ...Object.fromEntries(metadata), ...identityOf(all['credentials']) }
}

/** What of the credentials may be shown. */
function identityOf(credentials: unknown): Settings {
  if (credentials === '') return {}
  let parsed: unknown
  try {
    parsed = JSON.parse(String(credentials))
  } catch {
    return refuse('error parsing credentials: expected JSON')
  }
  if (!isObject(parsed)) return refuse('error parsing credentials: expected an object')
  const { client_email, client_id, private_key_id, project_id } = parsed
  return { client_email, client_id, private_key_id, project_id }
}

type Edit = { name: string; add: string[]; remove: string[] }

/** Adds to and removes from a list of a role of one type. */
const editing = (path: string, type: string, list: string) =>
  endpoint(`role/:name/${path}`, {
    help: `Adds to ${list} of a role of ${type}, and removes from it.`,
    fields: {
      name: roleName,
      add: t.list({ help: 'What to add.', default: [] }),
      remove: t.list({ help: 'What to remove.', default: [] }),
    },
    async write(call: Call<Edit>) {
      await changeSettings(call.store, `role/${call.data.name.toLowerCase()}`, (role) => {
        if (!role) throw new Failure('bad_request', `role "${call.data.name}" does not exist`)
        if (role['type'] !== type) refuse(`${list} can only be changed of a role of type ${type}`)
        const next = changedList(role[list], call.data)
        acceptRole({ ...role, [list]: next })
        return { ...role, [list]: next }
      })
      return undefined
    },
    example: { add: ['one'], remove: ['another'] },
  })

const roleName = t.name({ help: 'Name of the role.' })

export default defineEngine({
  type: 'gcp',
  class: 'auth',
  help: 'Configuration for logins of Google Cloud, which this build does not have.',
  endpoints: [
    ...storedSettings('config', {
      help: 'How Google Cloud would be reached, and what a login would tell of itself.',
      verbs: ['read'],
      fields: {
        credentials: t.string({ help: 'Key of a service account, as JSON.', sensitive: true }),
        custom_endpoint: t.pairs({ help: 'Endpoints by service: api, iam, crm, compute.' }),
        iam_alias: t.string({ help: 'role_id or unique_id.', default: 'role_id', clear: true }),
        iam_metadata: t.list({ help: 'Names of metadata.', default: ['default'], clear: true }),
        gce_alias: t.string({ help: 'role_id or instance_id.', default: 'role_id', clear: true }),
        gce_metadata: t.list({ help: 'Names of metadata.', default: ['default'], clear: true }),
        google_certs_endpoint: t.string({ help: 'Has no effect.', deprecated: true }),
      },
      accept: acceptConfig,
      // What is empty is left out.
      show: (shown) =>
        Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== null)),
    }),
    ...storedSettings('role/:name', {
      help: 'Who may log in, and what tokens that gives.',
      lists: ['role', 'roles'],
      anyCase: true,
      toldApart: true,
      tokens: ['policies', 'ttl', 'max_ttl', 'period'],
      fields: roleFields,
      accept: acceptRole,
      show: shownRole,
      example: { type: 'iam', bound_service_accounts: ['web@example.iam.gserviceaccount.com'] },
    }),
    editing('service-accounts', 'iam', 'bound_service_accounts'),
    editing('labels', 'gce', 'bound_labels'),
    unsupported('login', 'login with gcp is not supported by this build', { access: 'login' }),
  ],
})
