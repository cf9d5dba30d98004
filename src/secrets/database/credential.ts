/** What a user proves itself with: a password, a key pair, or a certificate of the operator's CA. */
import { generateKeyPairSync } from 'node:crypto'
import { type Call, Failure, refuse } from '../../kit/kit.ts'
import { type Random } from '../../lib/random.ts'
import { type Proof } from './target.ts'

export const CREDENTIAL_TYPES = ['password', 'rsa_private_key', 'client_certificate'] as const
export type CredentialType = (typeof CREDENTIAL_TYPES)[number]
export type CredentialConfig = Readonly<Record<string, unknown>>

/** `proof` is for the database, `shown` for the caller. */
export type Made = { proof: Proof; shown: Record<string, string> }

/** Those of the shown that nobody else may know: certificates are for everyone. */
export function secretsIn(shown: Made['shown']): Record<string, string> {
  const names = ['password', 'rsa_private_key', 'private_key']
  return Object.fromEntries(Object.entries(shown).filter(([name]) => names.includes(name)))
}

type Wanted = {
  type: CredentialType
  config: CredentialConfig
  /** Of the connection; the role's own comes first. */
  passwordPolicy: string
  username: string
  expiresAt: number
}

export function credentialType(given: string): CredentialType {
  const known = CREDENTIAL_TYPES.find((type) => type === given)
  return known ?? refuse(`invalid credential_type "${given}"`)
}

export async function newCredential(
  call: Pick<Call<unknown>, 'generatePassword' | 'random' | 'now'>,
  wanted: Wanted,
): Promise<Made> {
  const { type, config } = wanted
  if (type === 'password') {
    const policy = text(config, 'password_policy') || wanted.passwordPolicy
    const password =
      policy === '' ? defaultPassword(call.random) : await call.generatePassword(policy)
    return { proof: { password }, shown: { password } }
  }
  if (type === 'rsa_private_key') {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', {
      modulusLength: keyBits(config, [2048, 3072, 4096], 2048),
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    return { proof: { publicKey }, shown: { rsa_private_key: privateKey } }
  }
  const { clientCertificate } = await import('./client-certificate.ts')
  return clientCertificate(wanted, call)
}

/** Refuses what could not be made later. */
export function checkCredentialConfig(type: CredentialType, config: CredentialConfig): void {
  if (type === 'rsa_private_key') {
    keyBits(config, [2048, 3072, 4096], 2048)
    const format = text(config, 'format') || 'pkcs8'
    if (format !== 'pkcs8') refuse(`invalid format: ${format}`)
  }
  if (type !== 'client_certificate') return
  for (const name of ['ca_cert', 'ca_private_key']) {
    if (text(config, name) === '')
      refuse(`credential_config needs ${name} for a client_certificate`)
  }
}

export const text = (config: CredentialConfig, name: string): string => {
  const value = config[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

export function keyBits(
  config: CredentialConfig,
  known: readonly number[],
  otherwise: number,
): number {
  const bits = Number(text(config, 'key_bits') || otherwise)
  return known.includes(bits) ? bits : refuse(`invalid key_bits: one of ${known.join(', ')}`)
}

const KINDS = ['abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '0123456789', '-']
const ALL = KINDS.join('')
const LENGTH = 20

/** Twenty characters with one of each kind: drawn again until it is so, so all are as likely. */
export function defaultPassword(random: Random): string {
  for (let draw = 0; draw < 1000; draw++) {
    let password = ''
    while (password.length < LENGTH) {
      for (const byte of random(LENGTH)) {
        // The largest multiple of the alphabet in a byte: the rest would favour its beginning.
        if (byte < 256 - (256 % ALL.length)) password += ALL[byte % ALL.length]
      }
    }
    password = password.slice(0, LENGTH)
    const whole = KINDS.every((kind) => Array.from(kind).some((char) => password.includes(char)))
    // Tools take what begins with a dash for an option.
    if (whole && !password.startsWith('-')) return password
  }
  throw new Failure('internal', 'no password was found')
}
