/** What users prove themselves with: passwords of every kind of character, keys, certificates. */
import { equal, match, ok, rejects, throws } from 'node:assert/strict'
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { authority } from '../../../test/support/authority.ts'
import { systemRandom } from '../../lib/random.ts'
import {
  checkCredentialConfig,
  credentialType,
  defaultPassword,
  newCredential,
} from './credential.ts'
import { nativeVerifier, redisVerifier, scramVerifier } from './verifiers.ts'

const call = {
  random: systemRandom,
  now: Date.UTC(2026, 0, 1),
  generatePassword: async (policy: string) => `by ${policy}`,
}
const wanted = {
  type: 'password' as const,
  config: {},
  passwordPolicy: '',
  username: 'ann',
  expiresAt: Date.UTC(2026, 0, 2),
}

test('credentialType() and checkCredentialConfig() refuse what could not be made', () => {
  throws(() => credentialType('kerberos'), /invalid credential_type/)
  throws(() => checkCredentialConfig('rsa_private_key', { key_bits: 1024 }), /invalid key_bits/)
  throws(() => checkCredentialConfig('rsa_private_key', { format: 'pkcs1' }), /invalid format/)
  throws(() => checkCredentialConfig('client_certificate', {}), /needs ca_cert/)
})

test('defaultPassword() has all kinds of characters, and begins with no dash', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 2000; i++) {
    const password = defaultPassword(systemRandom)
    match(password, /^(?!-)(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*-)[\w-]{20}$/)
    seen.add(password)
  }
  equal(seen.size, 2000)
})

test('newCredential() takes the policy of the role before that of the connection', async () => {
  const made = (config: object, passwordPolicy: string) =>
    newCredential(call, { ...wanted, config: { ...config }, passwordPolicy })
  equal((await made({ password_policy: 'own' }, 'other')).proof.password, 'by own')
  equal((await made({}, 'other')).shown['password'], 'by other')
})

test('newCredential() makes a key pair whose halves belong together', async () => {
  const config = { key_bits: '2048' }
  const { proof, shown } = await newCredential(call, { ...wanted, type: 'rsa_private_key', config })
  const key = createPrivateKey(shown['rsa_private_key']!)
  const spki = { type: 'spki', format: 'pem' } as const
  equal(createPublicKey(key).export(spki), proof.publicKey)
})

test('newCredential() makes certificates of the CA that the role brings', async () => {
  const ca = await authority('databases')
  const base = { ca_cert: ca.pem, ca_private_key: ca.keyPem }
  for (const key_type of ['rsa', 'ec', 'ed25519']) {
    const config = { ...base, key_type, common_name_template: 'db-{{ .DisplayName }}' }
    const { proof, shown } = await newCredential(call, {
      ...wanted,
      type: 'client_certificate',
      config,
    })
    const certificate = new X509Certificate(shown['client_certificate']!)
    ok(certificate.verify(new X509Certificate(ca.pem).publicKey), key_type)
    ok(certificate.checkPrivateKey(createPrivateKey(shown['private_key']!)), key_type)
    equal(certificate.subject, 'CN=db-ann')
    equal(proof.subject, 'CN=db-ann')
    equal(certificate.validToDate.getTime(), wanted.expiresAt)
    ok(!certificate.ca)
  }
  const broken = { ...base, ca_private_key: 'none' }
  const type = 'client_certificate' as const
  await rejects(newCredential(call, { ...wanted, type, config: broken }), /must be PEM/)
})

test('verifiers are what the databases make of the same password', () => {
  equal(nativeVerifier('password'), '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19')
  equal(redisVerifier('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  // RFC 7677, section 3: the salt and iterations of its example, and the keys that follow from them.
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  equal(
    scramVerifier('pencil', () => salt),
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$' +
      'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
})
