/** The configuration of a mount: the organization at Okta. */
import { type EntryStore, refuse, type RoleTokens, t } from '../../kit/kit.ts'
import { settingsAt, type Settings, storedSettings } from '../../kit/stored-settings.ts'

export type Config = {
  org_name: string
  api_token: string
  base_url: string
  bypass_okta_mfa: boolean
}

const PUBLIC_DOMAIN = 'okta.com'
const PREVIEW_DOMAIN = 'oktapreview.com'
/** One label, and a domain that may have a port: nothing else gets into an address. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i
const DOMAIN = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/i

export const configEndpoints = storedSettings('config', {
  help: 'The organization whose users may log in.',
  verbs: ['read'],
  toldApart: true,
  tokens: ['ttl', 'max_ttl'],
  fields: {
    org_name: t.string({ help: 'Name of the organization, the first part of its address.' }),
    api_token: t.string({ help: 'A token that may read groups.', sensitive: true }),
    base_url: t.string({ help: 'The rest of its address; okta.com unless set.', clear: true }),
    bypass_okta_mfa: t.bool({ help: 'The second factor of Okta is not asked for.', clear: true }),
    organization: t.string({ help: 'Use org_name instead.', deprecated: true }),
    token: t.string({ help: 'Use api_token instead.', deprecated: true, sensitive: true }),
    production: t.bool({ help: 'Use base_url instead.', deprecated: true, clear: true }),
  },
  accept(all, call) {
    const wanted = call.data['org_name'] ?? call.data['organization'] ?? all['org_name']
    const [name, base] = [String(wanted), String(all['base_url'])]
    if (name === '') refuse('org_name is missing')
    if (!LABEL.test(name)) refuse('org_name is not the first part of an address')
    if (base !== '' && !DOMAIN.test(base)) refuse('base_url is not a domain, such as okta.com')
    const token = call.data['api_token'] ?? call.data['token'] ?? all['api_token']
    return { org_name: name, api_token: token, organization: undefined, token: undefined }
  },
  show: ({ base_url: base, ...shown }) => ({
    ...shown,
    organization: shown['org_name'],
    ...(base !== '' && { base_url: base }),
  }),
  example: { org_name: 'example', base_url: 'okta.com' },
})

/** Refuses where the mount was not configured. */
export async function requireConfig(
  store: EntryStore,
): Promise<{ config: Config; url: string; tokens: RoleTokens }> {
  const stored = await settingsAt(store, 'config')
  if (!stored?.tokens) return refuse('Okta auth method not configured')
  const settings: Settings = stored.settings
  const text = (name: string) => (typeof settings[name] === 'string' ? settings[name] : '')
  const preview = settings['production'] === false ? PREVIEW_DOMAIN : PUBLIC_DOMAIN
  const config: Config = {
    org_name: text('org_name'),
    api_token: text('api_token'),
    base_url: text('base_url') || preview,
    bypass_okta_mfa: settings['bypass_okta_mfa'] === true,
  }
  return { config, url: `https://${config.org_name}.${config.base_url}`, tokens: stored.tokens }
}
