/** Providers: an issuer of its own, with the clients and the scopes it is for. */
import { type Scope } from '../../../barrier/space.ts'
import { collection } from '../../../kit/call.ts'

/** Entry `identity-oidc/provider/<name>`. */
export type Provider = {
  /** An origin; empty = the server's own address. */
  readonly issuer: string
  readonly allowed_client_ids: readonly string[]
  readonly scopes_supported: readonly string[]
}

type Named = { name: string; provider: Provider }

const providers = collection<Provider>('identity-oidc/provider/')

/** It is there without being made, and cannot be removed. */
export const DEFAULT_PROVIDER = 'default'
const FOR_EVERY_CLIENT: Provider = { issuer: '', allowed_client_ids: ['*'], scopes_supported: [] }

export async function findProvider(scope: Scope, name: string): Promise<Provider | undefined> {
  const stored = await providers.get(scope, name)
  return stored ?? (name === DEFAULT_PROVIDER ? FOR_EVERY_CLIENT : undefined)
}

export async function allProviders(scope: Scope): Promise<Named[]> {
  const names = new Set([...(await providers.names(scope)), DEFAULT_PROVIDER])
  const all: Named[] = []
  for (const name of [...names].sort()) {
    const provider = await findProvider(scope, name)
    if (provider) all.push({ name, provider })
  }
  return all
}

export function saveProvider(scope: Scope, name: string, provider: Provider): void {
  providers.put(scope, name, provider)
}

export function removeProvider(scope: Scope, name: string): void {
  providers.remove(scope, name)
}

/** The names of the providers that support a scope. */
export async function providersOfScope(scope: Scope, claimScope: string): Promise<string[]> {
  const all = await allProviders(scope)
  return all
    .filter(({ provider }) => provider.scopes_supported.includes(claimScope))
    .map(({ name }) => name)
}

export function isFor(provider: Provider, clientId: string): boolean {
  const { allowed_client_ids } = provider
  return allowed_client_ids.includes('*') || allowed_client_ids.includes(clientId)
}
