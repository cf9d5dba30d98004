/** The endpoints of roles, which this method calls certs. */
import {
  applyRoleTokens,
  type Call,
  endpoint,
  refuse,
  shownRoleTokens,
  TOKEN_SETTINGS,
} from '../../kit/kit.ts'
import {
  canonicalName,
  checkCertificate,
  findRole,
  NEW_ROLE,
  type Role,
  roleName,
  roles,
  roleTokenFields,
  type Settings,
  settingsFields,
} from './role.ts'

const SETTINGS = Object.keys(NEW_ROLE) as (keyof Settings)[]

export const roleEndpoints = [
  endpoint('certs', {
    help: 'The names of all roles.',
    fields: {},
    list: async ({ store }) => ({ keys: await roles.names(store) }),
  }),
  endpoint('certs/:name', {
    help: 'A role: which certificates may log in with it, and what tokens they get.',
    fields: { name: roleName, ...settingsFields, ...roleTokenFields },
    async read({ data, store }) {
      const role = await findRole(store, data.name)
      return role && { ...settingsOf(role), ...shownRoleTokens(role) }
    },
    async write(call) {
      const { data, store } = call
      const before = await findRole(store, data.name)
      const settings = changed(before ?? NEW_ROLE, data)
      settings.display_name ||= data.name
      if (settings.certificate === '') return refuse('certificate is required')
      if (data.certificate !== undefined) await checkCertificate(data.certificate, call)
      checkExtensions(settings.required_extensions ?? [])
      if (settings.ocsp_enabled) {
        call.warn('OCSP is not asked here: no login is let in while ocsp_enabled is true')
      }
      const tokens = applyRoleTokens(before ?? TOKEN_SETTINGS, {
        ...data,
        ttl: data.ttl ?? data.lease,
      })
      roles.put(store, canonicalName(data.name), { ...tokens, ...settings })
      return undefined
    },
    delete({ data, store }) {
      roles.remove(store, canonicalName(data.name))
      return undefined
    },
    example: { certificate: '-----BEGIN CERTIFICATE-----\n…', token_policies: ['web'] },
  }),
]

function changed(stored: Settings, data: Call<Partial<Record<keyof Settings, unknown>>>['data']) {
  const next = SETTINGS.map((name) => [name, data[name] ?? stored[name]] as const)
  return Object.fromEntries(next) as Settings
}

const settingsOf = (role: Role) => Object.fromEntries(SETTINGS.map((name) => [name, role[name]]))

/** A pattern that can never be read would keep everybody out without a word. */
function checkExtensions(required: readonly string[]): void {
  if (required.every((item) => /^(?:hex:)?\d+(?:\.\d+)+:/.test(item))) return
  refuse('required_extensions must be OID:pattern or hex:OID:pattern, such as 1.2.3.4:web*')
}
