/**
 * The login with a TLS client certificate. The handshake has shown that the client has its key;
 * everything else about it is judged here, at each login and each renewal.
 */
import { timingSafeEqual } from 'node:crypto'
import {
  type Call,
  checkSamePolicies,
  checkTokenPeer,
  endpoint,
  Failure,
  login,
  refuse,
  t,
  tokenParams,
} from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { isIssuedUnder, isUsable, type Judge } from './chain.ts'
import { readConfig } from './config.ts'
import { extensionMetadata, meetsConstraints } from './constraints.ts'
import { revocations } from './revocation.ts'
import { canonicalName, findRole, type Role, roles, trustOf } from './role.ts'

/** Given back at renewal. */
type Internal = { cert_name: string; sha256: string; policies: readonly string[] }
type Asking = Pick<Call<unknown>, 'store' | 'now' | 'peerCertificates' | 'remoteAddress'>
type Shown = { leaf: Certificate; sent: readonly Certificate[] }

const INVALID = 'invalid certificate or no client certificate supplied'
const NO_MATCH = 'no chain matching all constraints could be found for this login certificate'

export const loginEndpoint = endpoint('login', {
  help: 'A token for the TLS client certificate of the connection.',
  access: 'login',
  fields: { name: t.string({ help: 'The role; all are tried when it is absent.' }) },
  write: logIn,
  example: { name: 'web' },
})

async function logIn(call: Call<{ name: string | undefined }>) {
  const { data, store } = call
  const shown = (await shownBy(call)) ?? refuse(INVALID)
  const { leaf } = shown
  const [name, role] = await match(call, shown, data.name ?? '')
  const [commonName, second] = leaf.commonNames
  // The alias is who this is from now on: no name, or a choice of names, is nobody.
  if (!commonName || second !== undefined) {
    return refuse('the certificate must have one common name, which names the caller')
  }
  checkTokenPeer(role, call.remoteAddress)
  const metadata = {
    ...extensionMetadata(leaf, role),
    cert_name: name,
    common_name: commonName,
    serial_number: leaf.serial,
    subject_key_id: leaf.subjectKeyId,
    authority_key_id: leaf.authorityKeyId,
  }
  const { enable_identity_alias_metadata: withMetadata } = await readConfig(store)
  const internal: Internal = {
    cert_name: name,
    sha256: leaf.sha256,
    policies: role.token_policies,
  }
  return login({
    alias: commonName,
    aliasMetadata: withMetadata ? metadata : {},
    displayName: role.display_name,
    metadata,
    token: tokenParams(role),
    internal,
  })
}

/** The first role by name that trusts the certificate and whose every constraint it meets. */
async function match(call: Asking, shown: Shown, wanted: string): Promise<[string, Role]> {
  const { store, now } = call
  const judge = { now, isRevoked: await revocations(store) }
  const names = wanted === '' ? await roles.names(store) : [canonicalName(wanted)]
  let trusted = false
  for (const name of names) {
    const role = await roles.get(store, name)
    if (!role || !(await isTrusted(role, shown, judge))) continue
    trusted = true
    if (!meetsConstraints(shown.leaf, role)) continue
    if (!role.ocsp_enabled) return [name, role]
    refuse('ocsp_enabled is set on the role, and OCSP is not asked here')
  }
  return refuse(trusted ? NO_MATCH : INVALID)
}

async function isTrusted(role: Role, { leaf, sent }: Shown, judge: Judge): Promise<boolean> {
  const { anchors, pinned } = await trustOf(role)
  const itself = [...anchors, ...(pinned ? [pinned] : [])].some((one) => sameBytes(one, leaf))
  // Of a certificate that is no authority, nothing but the whole of it is trusted.
  return itself ? isUsable(leaf, judge) : isIssuedUnder(leaf, { anchors, sent }, judge)
}

const sameBytes = (a: Certificate, b: Certificate) => sameDigest(a.sha256, b.sha256)

const sameDigest = (a: string, b: string) =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** What the client has shown; undefined when it showed nothing that can be read. */
async function shownBy(call: Asking): Promise<Shown | undefined> {
  const [first, ...rest] = call.peerCertificates()
  const leaf = first && (await tryRead(first))
  if (!leaf) return undefined
  const sent = await Promise.all(rest.map(tryRead))
  return { leaf, sent: sent.filter((one) => one !== undefined) }
}

async function tryRead(der: Uint8Array): Promise<Certificate | undefined> {
  try {
    return await readCertificate(der)
  } catch {
    return undefined
  }
}

/**
 * The role's settings as they are now; undefined when it is gone. The certificate of the login must
 * be shown again, and must still be good for a login.
 */
export async function renewLogin(
  call: Asking,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const { cert_name, sha256, policies } = internal as Internal
  const role = await findRole(call.store, cert_name)
  if (!role) return undefined
  const { disable_binding } = await readConfig(call.store)
  if (!disable_binding) {
    const shown = await shownBy(call)
    if (!shown) return notRenewed('no client certificate found')
    if (!sameDigest(shown.leaf.sha256, sha256)) {
      notRenewed('client identity during renewal not matching client identity used during login')
    }
    await match(call, shown, cert_name)
  }
  checkSamePolicies(role.token_policies, policies)
  return tokenParams(role)
}

function notRenewed(why: string): never {
  throw new Failure('bad_request', `failed to renew entry: ${why}`, { wrapped: true })
}
