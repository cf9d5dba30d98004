import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import {
  authority,
  certificate,
  type CertificateOptions,
  CLIENT_AUTH,
  derText,
  extension,
  type Issued,
  revocationList,
  SERVER_AUTH,
} from '../../../test/support/authority.ts'
import {
  dataOf,
  memoryEntries,
  testEngine,
  type TestEngineOptions,
} from '../../../test/support/test-engine.ts'
import cert from './engine.ts'
import { renewLogin } from './login.ts'

const INVALID = {
  status: 400,
  message: 'invalid certificate or no client certificate supplied',
}
const NO_MATCH = {
  status: 400,
  message: 'no chain matching all constraints could be found for this login certificate',
}
const root = await authority('root')
const leaf = (options: CertificateOptions = {}, issuer = root) =>
  certificate({ subject: 'CN=web', usages: [CLIENT_AUTH], ...options }, issuer)
const web = await leaf()

async function engineWith(role: Record<string, unknown> = {}, options: TestEngineOptions = {}) {
  const engine = testEngine(cert, options)
  await engine.write('certs/Web', { certificate: root.pem, ...role })
  const logIn = async (shown: readonly Issued[], name?: string) => {
    options.peerCertificates = shown.map(({ der }) => der)
    return (await engine.write('login', name === undefined ? {} : { name }))?.login
  }
  return { engine, logIn }
}

test('login refuses who shows nothing, something else, or names a role that is not there', async () => {
  const options: TestEngineOptions = {}
  const { engine, logIn } = await engineWith({}, options)
  await rejects(logIn([]), INVALID)
  await rejects(logIn([web], 'nobody'), INVALID)
  options.peerCertificates = [Buffer.from('no certificate')]
  await rejects(engine.write('login'), INVALID)
  await rejects(testEngine(cert, options).write('login'), INVALID)
})

test('login refuses what no trusted authority has issued, whatever it says', async () => {
  const { logIn } = await engineWith()
  const other = await authority('root')
  const forged = await leaf({}, other)
  await rejects(logIn([forged]), INVALID)
  await rejects(logIn([forged, other]), INVALID)
  await rejects(logIn([forged, root]), INVALID)
  await rejects(logIn([await certificate({ subject: 'CN=web' })]), INVALID)
  // A leaf is no authority, though it was issued by one.
  await rejects(logIn([await leaf({}, web), web]), INVALID)
  // What can be forged says nothing.
  await rejects(logIn([await leaf({ hash: 'SHA-1' })]), INVALID)
  // One that says it is no authority is none.
  const none = await certificate({ subject: 'CN=mid', ca: false }, root)
  await rejects(logIn([await leaf({}, none), none]), INVALID)
})

test('S19 login refuses a certificate out of its time, for servers, or with what is not understood', async () => {
  const { engine, logIn } = await engineWith()
  const wrong: CertificateOptions[] = [
    { notAfter: new Date(engine.clock.now() - 1000) },
    { notBefore: new Date(engine.clock.now() + 1000) },
    { usages: [SERVER_AUTH] },
    { extensions: [extension('1.2.3.4', derText('x'), true)] },
  ]
  for (const options of wrong) await rejects(logIn([await leaf(options)]), INVALID)
  ok(await logIn([await leaf({ extensions: [extension('1.2.3.4', derText('x'))] })]))
  ok(await logIn([await leaf({ usages: [SERVER_AUTH, '2.5.29.37.0'] })]))
})

test('login goes through intermediate authorities, each of them as good as it must be', async () => {
  const { logIn } = await engineWith()
  const good = await authority('mid', { pathLength: 0 }, root)
  const chain = await leaf({}, good)
  ok(await logIn([chain, good]))
  ok(await logIn([chain, web, root, good]))
  await rejects(logIn([chain]), INVALID)
  const past = new Date(Date.UTC(2025, 5, 1))
  const wrong: CertificateOptions[] = [
    { notAfter: past },
    { usages: [SERVER_AUTH] },
    { extensions: [extension('2.5.29.30', Buffer.from('3000', 'hex'), true)] },
    { extensions: [extension('2.5.29.30', Buffer.from('3000', 'hex'))] },
  ]
  for (const options of wrong) {
    const mid = await authority('mid', options, root)
    await rejects(logIn([await leaf({}, mid), mid]), INVALID)
  }
  // The path length of the first does not let a second stand below it.
  const second = await authority('second', {}, good)
  await rejects(logIn([await leaf({}, second), second, good]), INVALID)
})

test('a role may trust an intermediate authority and not the root', async () => {
  const mid = await authority('mid', {}, root)
  const { logIn } = await engineWith({ certificate: mid.pem })
  ok(await logIn([await leaf({}, mid)]))
  await rejects(logIn([web]), INVALID)
  await rejects(logIn([web, root]), INVALID)
})

test('many certificates sent with the first end in a refusal, not in work without end', async () => {
  const { logIn } = await engineWith()
  const twins = await Promise.all(
    Array.from({ length: 15 }, () => authority('twin', { keys: web.keys })),
  )
  const lost = await leaf({}, twins[0])
  await rejects(logIn([lost, ...twins]), INVALID)
})

test('S19 a pinned certificate lets itself in, and nothing that is only like it', async () => {
  const pinned = await certificate({ subject: 'CN=web', usages: [CLIENT_AUTH], serial: '0102' })
  const { engine, logIn } = await engineWith({ certificate: pinned.pem })
  const { keys } = pinned
  const like: Issued[] = [
    await certificate({ subject: 'CN=admin', usages: [CLIENT_AUTH], serial: '0102', keys }),
    await certificate({ subject: 'CN=web', usages: [CLIENT_AUTH], serial: '0103', keys }),
    await certificate({ subject: 'CN=web', usages: [CLIENT_AUTH], serial: '0102' }),
    await leaf({ keys, serial: '0102' }),
    await certificate({ subject: 'CN=other' }, pinned),
  ]
  for (const other of like) {
    await rejects(logIn([other]), INVALID)
    await rejects(logIn([other, pinned]), INVALID)
  }
  equal((await logIn([pinned]))?.alias, 'web')
  engine.clock.advance(30 * 365 * 24 * 3600 * 1000)
  await rejects(logIn([pinned]), INVALID)
})

test('login refuses what a revocation list names, from the next login on', async () => {
  const { engine, logIn } = await engineWith()
  const mid = await authority('mid', { serial: '0a' }, root)
  const below = await leaf({}, mid)
  const one = await leaf({ serial: '7fffffffffffffff' })
  ok(await logIn([one]))
  ok(await logIn([below, mid]))
  await engine.write('crls/Main', { crl: await revocationList(root, ['7fffffffffffffff', '0a']) })
  await rejects(logIn([one]), INVALID)
  await rejects(logIn([below, mid]), INVALID)
  ok(await logIn([web]))
  const read = await engine.read('crls/main')
  deepEqual(dataOf(read), { cdp: null, serials: { '9223372036854775807': {}, '10': {} } })
  deepEqual(dataOf(await engine.list('crls')), { keys: ['main'] })
  await engine.delete('crls/main')
  ok(await logIn([one]))
  // A pinned certificate can be revoked like any other.
  await engine.write('certs/pin', { certificate: web.pem })
  await engine.write('crls/x', { crl: await revocationList(root, [web.certificate.serialNumber]) })
  await rejects(logIn([web], 'pin'), INVALID)
})

test('a revocation list that cannot be read or must be fetched is refused', async () => {
  const { engine } = await engineWith()
  await rejects(engine.write('crls/x', { crl: 'nonsense' }), {
    status: 400,
    message: 'failed to parse CRL',
  })
  await rejects(engine.write('crls/x', {}), { status: 400, message: "'crl' must be provided" })
  await rejects(engine.write('crls/x', { url: 'http://crl.test/a.crl' }), { status: 400 })
  await rejects(engine.read('crls/x'), { status: 400, message: 'no such CRL x' })
  await rejects(engine.delete('crls/x'), { status: 400, message: 'no such CRL x' })
})

const named = await leaf({
  subject: 'CN=web.example.com, OU=engineering, OU=ops',
  names: [
    { type: 'dns', value: 'web.example.com' },
    { type: 'email', value: 'ops@example.com' },
    { type: 'url', value: 'spiffe://example.com/web' },
  ],
  extensions: [
    extension('1.2.3.4', derText('tier-1')),
    extension('1.2.3.5', derText('ünïcode', 0x0c)),
    extension('1.2.3.6', Buffer.from('020103', 'hex')),
  ],
})

/** [what the role asks for, whether `named` has it] */
const CONSTRAINTS: [Record<string, unknown>, boolean][] = [
  [{ allowed_common_names: 'web.example.com' }, true],
  [{ allowed_common_names: 'other,web.*' }, true],
  [{ allowed_common_names: 'example.com' }, false],
  [{ allowed_common_names: 'WEB.example.com' }, false],
  [{ allowed_names: 'ops@*' }, true],
  [{ allowed_names: 'spiffe://*' }, false],
  [{ allowed_dns_sans: '*.example.com' }, true],
  [{ allowed_dns_sans: 'ops@example.com' }, false],
  [{ allowed_email_sans: '*@example.com' }, true],
  [{ allowed_email_sans: '*@example.org' }, false],
  [{ allowed_uri_sans: 'spiffe://example.com/*' }, true],
  [{ allowed_uri_sans: 'spiffe://example.com/db' }, false],
  [{ allowed_organizational_units: 'ops' }, true],
  [{ allowed_organizational_units: 'op' }, false],
  [{ allowed_common_names: '*', allowed_dns_sans: 'nothing' }, false],
  [{ required_extensions: '1.2.3.4:tier-*' }, true],
  [{ required_extensions: '1.2.3.4:tier-1,1.2.3.5:ünï*' }, true],
  [{ required_extensions: '1.2.3.4:tier-1,1.2.3.9:*' }, false],
  [{ required_extensions: '1.2.3.4:tier-2' }, false],
  [{ required_extensions: '1.2.3.6:*' }, false],
  [{ required_extensions: 'hex:1.2.3.6:020103' }, true],
  [{ required_extensions: 'hex:1.2.3.6:020104' }, false],
]

test('login holds a certificate against every constraint of the role', async () => {
  const { engine, logIn } = await engineWith()
  for (const [asked, expected] of CONSTRAINTS) {
    await engine.delete('certs/web')
    await engine.write('certs/web', { certificate: root.pem, ...asked })
    const label = JSON.stringify(asked)
    if (expected) ok(await logIn([named]), label)
    else await rejects(logIn([named]), NO_MATCH, label)
  }
})

test('a certificate that names nobody, or two, is refused', async () => {
  const { logIn } = await engineWith()
  for (const subject of ['O=example', 'CN=web, CN=admin']) {
    await rejects(logIn([await leaf({ subject })]), { status: 400, message: /one common name/ })
  }
})

test('login takes the first role by name that matches, or the one that is named', async () => {
  const { engine, logIn } = await engineWith({ allowed_common_names: 'db', token_policies: 'web' })
  await engine.write('certs/zoo', { certificate: root.pem, token_policies: 'zoo' })
  deepEqual((await logIn([web]))?.token.policies, ['zoo'])
  deepEqual((await logIn([web], 'ZOO'))?.metadata['cert_name'], 'zoo')
  await rejects(logIn([web], 'web'), NO_MATCH)
})

test('login gives a token with the settings of the role and what the certificate says', async () => {
  const options = { remoteAddress: '10.1.0.1' }
  const role = {
    token_policies: 'b,a',
    display_name: 'shown',
    token_bound_cidrs: '10.0.0.0/8',
    allowed_metadata_extensions: '1.2.3.4,1.2.3.6,1.2.3.9',
  }
  const { engine, logIn } = await engineWith(role, options)
  const grant = await logIn([named])
  const keyId = named.certificate.getExtension('2.5.29.14')!.value.slice(2)
  const metadata = {
    '1-2-3-4': 'tier-1',
    cert_name: 'web',
    common_name: 'web.example.com',
    serial_number: String(BigInt(`0x${named.certificate.serialNumber}`)),
    subject_key_id: Buffer.from(keyId).toString('hex').match(/../g)!.join(':'),
    authority_key_id: '',
  }
  deepEqual(grant?.metadata, metadata)
  deepEqual([grant.alias, grant.displayName, grant.aliasMetadata], ['web.example.com', 'shown', {}])
  deepEqual(grant.token.policies, ['a', 'b'])
  await engine.write('config', { enable_identity_alias_metadata: true })
  deepEqual((await logIn([named]))?.aliasMetadata, metadata)
  options.remoteAddress = '11.0.0.1'
  await rejects(logIn([named]), { status: 403 })
})

test('no login while OCSP is wanted, which is not asked', async () => {
  const { engine, logIn } = await engineWith()
  const reply = await engine.write('certs/web', { ocsp_enabled: true, ocsp_fail_open: true })
  equal(reply?.warnings?.length, 1)
  await rejects(logIn([web]), { status: 400, message: /OCSP is not asked/ })
})

test('S19 renewLogin() wants the certificate of the login, and wants it good still', async () => {
  const { engine, logIn } = await engineWith({ token_policies: 'a', token_ttl: 60 })
  const internal = (await logIn([web]))?.internal ?? {}
  const renew = (shown: readonly Issued[], now = engine.clock.now()) =>
    renewLogin(
      {
        store: memoryEntries(engine.entries()),
        now,
        remoteAddress: '127.0.0.1',
        peerCertificates: () => shown.map(({ der }) => der),
      },
      internal,
    )
  equal((await renew([web]))?.ttlSeconds, 60)
  const sibling = await leaf({ keys: web.keys })
  for (const other of [sibling, await leaf()]) {
    await rejects(renew([other]), { status: 400, message: /not matching client identity/ })
    await rejects(renew([other, web]), { status: 400, message: /not matching client identity/ })
  }
  await rejects(renew([]), { status: 400, message: /no client certificate found/ })
  await rejects(renew([web], Date.UTC(2050, 0, 1)), INVALID)
  await engine.write('crls/x', { crl: await revocationList(root, [web.certificate.serialNumber]) })
  await rejects(renew([web]), INVALID)
  await engine.write('config', { disable_binding: true })
  equal((await renew([]))?.ttlSeconds, 60)
  await engine.write('certs/web', { token_policies: 'b' })
  await rejects(renew([]), { status: 400, message: /policies have changed/ })
  await engine.delete('certs/web')
  equal(await renew([]), undefined)
})
