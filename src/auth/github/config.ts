/** The configuration of a mount: the organization whose members may log in. */
import { type Call, type EntryStore, Failure, refuse, type RoleTokens, t } from '../../kit/kit.ts'
import { settingsAt, type Settings, storedSettings } from '../../kit/stored-settings.ts'
import { OutboundError } from '../../lib/outbound.ts'
import { apiUrl, organizationId } from './api.ts'

export type Config = { organization: string; organization_id: number; base_url: string }

export const configEndpoints = storedSettings('config', {
  help: 'The organization whose members may log in.',
  verbs: ['read'],
  tokens: ['ttl', 'max_ttl'],
  fields: {
    organization: t.string({ help: 'Name of the organization.' }),
    organization_id: t.int({ help: 'Its id; asked for when it is not given.', clear: true }),
    base_url: t.string({ help: 'Address of the API, of a server of your own.', clear: true }),
  },
  accept,
  example: { organization: 'example', token_ttl: '1h' },
})

async function accept(all: Settings, call: Call<Settings>): Promise<Settings | void> {
  const { organization, organization_id: id, base_url: baseUrl } = all as Config
  if (organization === '') refuse('organization is a required parameter')
  const api = apiUrl(baseUrl)
  const same = call.data['organization'] === undefined && id !== 0
  if (same || (call.given.has('organization_id') && id !== 0)) return undefined
  try {
    const work = () => organizationId(api, organization)
    return { organization_id: await call.once(['organization', organization, baseUrl], work) }
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    return refuse(
      'unable to fetch the organization_id, you must manually set it in the config: the server ' +
        error.message,
    )
  }
}

/** Throws a Failure where the mount was not configured. */
export async function requireConfig(
  store: EntryStore,
): Promise<{ config: Config; tokens: RoleTokens }> {
  const stored = await settingsAt(store, 'config')
  if (!stored?.tokens) throw new Failure('bad_request', 'configuration has not been set')
  const {
    organization = '',
    organization_id = 0,
    base_url = '',
  } = stored.settings as Partial<Config>
  return { config: { organization, organization_id, base_url }, tokens: stored.tokens }
}
