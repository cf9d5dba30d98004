/**
 * Clients: applications that let people log in through this server. A confidential one has a
 * secret; a public one (an app in a browser or on a phone) has none and must use PKCE.
 *
 *   identity-oidc/client/<name>
 *   identity-oidc/client-id/<client id>   {name}
 */
import { timingSafeEqual } from 'node:crypto'
import { type Scope } from '../../../barrier/space.ts'
import { collection } from '../../../kit/call.ts'
import { sha256 } from './digest.ts'

export type Client = {
  readonly client_id: string
  readonly client_type: 'confidential' | 'public'
  /** Confidential clients only. It is read back, as Vault does it: operators hand it out. */
  readonly client_secret?: string
  readonly key: string
  readonly redirect_uris: readonly string[]
  readonly assignments: readonly string[]
  /** Seconds. */
  readonly id_token_ttl: number
  readonly access_token_ttl: number
}

type Named = { name: string; client: Client }

const clients = collection<Client>('identity-oidc/client/')
const ids = collection<{ name: string }>('identity-oidc/client-id/')

export async function findClient(scope: Scope, name: string): Promise<Client | undefined> {
  return await clients.get(scope, name)
}

/** A client id may be anything that a request says. */
export async function clientById(scope: Scope, id: string): Promise<Client | undefined> {
  if (!/^[0-9A-Za-z]{1,64}$/.test(id)) return undefined
  const known = await ids.get(scope, id)
  const client = known && (await clients.get(scope, known.name))
  return client?.client_id === id ? client : undefined
}

export function saveClient(scope: Scope, name: string, client: Client): void {
  clients.put(scope, name, client)
  ids.put(scope, client.client_id, { name })
}

export async function removeClient(scope: Scope, name: string): Promise<void> {
  const client = await clients.get(scope, name)
  if (!client) return
  clients.remove(scope, name)
  ids.remove(scope, client.client_id)
}

export async function allClients(scope: Scope): Promise<Named[]> {
  const all: Named[] = []
  for (const name of await clients.names(scope)) {
    const client = await clients.get(scope, name)
    if (client) all.push({ name, client })
  }
  return all
}

export async function clientsOfKey(scope: Scope, key: string): Promise<Named[]> {
  return (await allClients(scope)).filter(({ client }) => client.key === key)
}

export async function clientsOfAssignment(scope: Scope, assignment: string): Promise<Named[]> {
  return (await allClients(scope)).filter(({ client }) => client.assignments.includes(assignment))
}

/** A public client has no secret that could be right or wrong. */
export function isAuthentic(client: Client, secret: string): boolean {
  if (client.client_type === 'public') return true
  const right = client.client_secret ?? ''
  return right !== '' && timingSafeEqual(sha256(right), sha256(secret))
}
