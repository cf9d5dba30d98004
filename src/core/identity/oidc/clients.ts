/** `oidc/client`: applications that let people log in through this server. */
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { base62 } from '../../../lib/base62.ts'
import { t } from '../../../schema/field.ts'
import { scopeOf } from '../../turn.ts'
import { findAssignment } from './assignment.ts'
import { allClients, type Client, findClient, removeClient, saveClient } from './client.ts'
import { DEFAULT_KEY, keyForUse } from './key.ts'

const TTL_SECONDS = 86_400
const ID_CHARS = 32
const SECRET_CHARS = 64
const SECRET_PREFIX = 'hvo_secret_'

const fields = {
  name: t.name({ help: 'Name of the client.' }),
  key: t.string({
    help: 'The key that signs its ID tokens; stays as it is.',
    default: DEFAULT_KEY,
    clear: true,
  }),
  redirect_uris: t.list({
    help: 'Where people may be sent back to, compared exactly; the port of a loopback is free.',
    default: [],
    clear: true,
  }),
  assignments: t.list({ help: 'Who may log in; nobody unless given.', default: [], clear: true }),
  id_token_ttl: t.duration({
    help: 'How long its ID tokens are valid.',
    default: TTL_SECONDS,
    clear: true,
  }),
  access_token_ttl: t.duration({
    help: 'How long its access tokens are valid.',
    default: TTL_SECONDS,
    clear: true,
  }),
  client_type: t.string({
    help: 'confidential: it can keep a secret; public: it cannot, and uses PKCE. Stays as it is.',
    default: 'confidential',
    clear: true,
  }),
}

type ClientCall = Call<{
  name: string
  key: string
  redirect_uris: string[]
  assignments: string[]
  id_token_ttl: number
  access_token_ttl: number
  client_type: string
}>

export function clientEndpoints(): Endpoint[] {
  return [
    endpoint('oidc/client', {
      help: 'All clients, without their secrets.',
      fields: {},
      async list(call) {
        const all = await allClients(scopeOf(call as never))
        return {
          keys: all.map(({ name }) => name),
          key_info: Object.fromEntries(all.map(({ name, client }) => [name, shown(client)])),
        }
      },
    }),
    endpoint('oidc/client/:name', {
      help: 'An application that lets people log in through this server.',
      fields,
      async exists(call) {
        return (await findClient(scopeOf(call as never), call.data.name)) !== undefined
      },
      async read(call) {
        const client = await findClient(scopeOf(call as never), call.data.name)
        if (!client) return undefined
        const { client_secret } = client
        return { ...shown(client), ...(client_secret !== undefined && { client_secret }) }
      },
      write: writeClient,
      async delete(call) {
        await removeClient(scopeOf(call as never), call.data.name)
        return undefined
      },
      example: { redirect_uris: ['https://wiki.example.com/callback'], assignments: ['staff'] },
    }),
  ]
}

function shown(client: Client): Record<string, unknown> {
  return {
    access_token_ttl: client.access_token_ttl,
    assignments: client.assignments,
    client_id: client.client_id,
    client_type: client.client_type,
    id_token_ttl: client.id_token_ttl,
    key: client.key,
    redirect_uris: client.redirect_uris,
  }
}

async function writeClient(call: ClientCall) {
  const scope = scopeOf(call as never)
  const stored = await findClient(scope, call.data.name)
  const client = changed(stored, call)
  const key = await keyForUse(scope, client.key, call)
  if (!key) return refuse(`key ${JSON.stringify(client.key)} does not exist`)
  if (client.id_token_ttl > key.verification_ttl) {
    refuse(
      "a client's id_token_ttl cannot be greater than the verification_ttl of the key it references",
    )
  }
  for (const name of client.assignments) {
    if (!(await findAssignment(scope, name))) {
      refuse(`assignment ${JSON.stringify(name)} does not exist`)
    }
  }
  saveClient(scope, call.data.name, client)
  return undefined
}

type Settable = 'redirect_uris' | 'assignments' | 'id_token_ttl' | 'access_token_ttl'

function changed(stored: Client | undefined, { data, given, random }: ClientCall): Client {
  const client_type = stored && !given.has('client_type') ? stored.client_type : data.client_type
  if (client_type !== 'confidential' && client_type !== 'public') {
    return refuse(`invalid client_type ${JSON.stringify(client_type)}`)
  }
  if (stored && stored.client_type !== client_type)
    refuse('client_type modification is not allowed')
  const key = stored && !given.has('key') ? stored.key : data.key
  if (stored && stored.key !== key) refuse('key modification is not allowed')
  const pick = <K extends Settable>(name: K): Pick<Client, Settable>[K] =>
    stored && !given.has(name) ? stored[name] : data[name]
  return {
    client_id: stored?.client_id ?? base62(ID_CHARS, random),
    client_type,
    ...(client_type === 'confidential' && {
      client_secret: stored?.client_secret ?? SECRET_PREFIX + base62(SECRET_CHARS, random),
    }),
    key,
    redirect_uris: once(pick('redirect_uris')),
    assignments: once(pick('assignments')),
    id_token_ttl: pick('id_token_ttl'),
    access_token_ttl: pick('access_token_ttl'),
  }
}

const once = (names: readonly string[]) => [...new Set(names)]
