/** A role as it is stored: a certificate that is trusted, and what else a client's must have. */
import {
  type Call,
  collection,
  type EntryStore,
  legacyTokenFields,
  refuse,
  type RoleTokens,
  t,
  tokenFields,
} from '../../kit/kit.ts'
import { type Certificate, readPem } from './certificate.ts'
import { hasNameConstraints } from './chain.ts'

/** Null until it is set, which clients tell from empty. */
type List = string[] | null

export type Settings = {
  certificate: string
  display_name: string
  allowed_names: List
  allowed_common_names: List
  allowed_dns_sans: List
  allowed_email_sans: List
  allowed_uri_sans: List
  allowed_organizational_units: List
  required_extensions: List
  allowed_metadata_extensions: List
  ocsp_ca_certificates: string
  ocsp_enabled: boolean
  ocsp_servers_override: List
  ocsp_fail_open: boolean
  ocsp_query_all_servers: boolean
}

/** Entry `cert/<lower-cased name>`. */
export type Role = RoleTokens & Settings

export const roles = collection<Role>('cert/')

export const NEW_ROLE: Settings = {
  certificate: '',
  display_name: '',
  allowed_names: null,
  allowed_common_names: null,
  allowed_dns_sans: null,
  allowed_email_sans: null,
  allowed_uri_sans: null,
  allowed_organizational_units: null,
  required_extensions: null,
  allowed_metadata_extensions: null,
  ocsp_ca_certificates: '',
  ocsp_enabled: false,
  ocsp_servers_override: null,
  ocsp_fail_open: false,
  ocsp_query_all_servers: false,
}

export const roleName = t.name({ help: 'Name of the role; upper and lower case are the same.' })

const { policies, ttl, max_ttl, period, bound_cidrs } = legacyTokenFields
const patterns = (whose: string) => t.list({ help: `Patterns, with *, for ${whose}.` })

export const settingsFields = {
  certificate: t.string({
    help: 'PEM: authorities whose certificates may log in, or one certificate that may itself.',
  }),
  display_name: t.string({
    help: "Part of the tokens' display name; the role's name when absent.",
  }),
  allowed_names: patterns('the common name, or a DNS or email name'),
  allowed_common_names: patterns('the common name'),
  allowed_dns_sans: patterns('one of the DNS names'),
  allowed_email_sans: patterns('one of the email names'),
  allowed_uri_sans: patterns('one of the URIs'),
  allowed_organizational_units: patterns('one of the organizational units'),
  required_extensions: t.list({
    help: 'Extensions that must be there: OID:pattern for a text, hex:OID:pattern for its bytes.',
  }),
  allowed_metadata_extensions: t.list({ help: 'OIDs of text extensions the metadata has.' }),
  ocsp_ca_certificates: t.string({ help: 'Kept; OCSP is not asked.' }),
  ocsp_enabled: t.bool({ help: 'OCSP is not asked: with true, no login is let in.', clear: true }),
  ocsp_servers_override: t.list({ help: 'Kept; OCSP is not asked.' }),
  ocsp_fail_open: t.bool({ help: 'Kept; OCSP is not asked.', clear: true }),
  ocsp_query_all_servers: t.bool({ help: 'Kept; OCSP is not asked.', clear: true }),
}

export const roleTokenFields = {
  ...tokenFields,
  policies,
  ttl,
  max_ttl,
  period,
  bound_cidrs,
  lease: t.int({ help: 'Use token_ttl instead.', deprecated: true, clear: true }),
}

export const canonicalName = (name: string): string => name.toLowerCase()

export async function findRole(store: EntryStore, name: string): Promise<Role | undefined> {
  return await roles.get(store, canonicalName(name))
}

/** `anchors` issue what may log in; or `pinned` is the only certificate that may. */
export type Trust = { anchors: readonly Certificate[]; pinned: Certificate | undefined }

/** An entry that has not changed is the same object each time. */
const trusts = new WeakMap<Role, Trust>()

export async function trustOf(role: Role): Promise<Trust> {
  const known = trusts.get(role)
  if (known) return known
  const trust = trustIn(await readPem(role.certificate))
  trusts.set(role, trust)
  return trust
}

function trustIn(all: readonly Certificate[]): Trust {
  const [first] = all
  if (!first?.isCa) return { anchors: [], pinned: first }
  return { anchors: all.filter(({ isCa }) => isCa), pinned: undefined }
}

const CLIENT_USAGES = new Set(['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'])

/** 400 unless something can be trusted by this text. */
export async function checkCertificate(
  pem: string,
  call: Pick<Call<unknown>, 'now' | 'warn'>,
): Promise<void> {
  let all: Certificate[] = []
  try {
    all = await readPem(pem)
  } catch {
    refuse('failed to parse certificate')
  }
  const [first] = all
  if (!first) return refuse('failed to parse certificate')
  const { anchors, pinned } = trustIn(all)
  if (pinned?.extendedKeyUsages?.some((oid) => CLIENT_USAGES.has(oid)) === false) {
    refuse('nonCA certificates should have TLS client authentication set as an extended key usage')
  }
  if (anchors.some(hasNameConstraints)) {
    refuse('a CA certificate with name constraints cannot be used: they are not checked here')
  }
  if (all.some(({ notAfter }) => notAfter < call.now)) call.warn('a certificate has expired')
}
