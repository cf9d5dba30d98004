/** What the methods are configured with, and the rules for it. */
import { refuse } from '../../kit/failure.ts'
import { type Field, type Parsed, t } from '../../schema/field.ts'
import { TOTP_ALGORITHMS, type TotpAlgorithm } from '../../crypto/totp.ts'
import { type ForeignMethod, type Method, type TotpSettings } from './method.ts'

const KEY_BYTES_MAX = 256
const QR_PIXELS_MAX = 2048
const PERIOD_SECONDS_MAX = 3600
const ATTEMPTS = 5
const ATTEMPTS_MAX = 100

const name = t.string({ help: 'A name for it, which no other method has.', clear: true })
const usernameFormat = t.string({ help: 'How the service calls the entity; a template.' })

export const totpFields = {
  method_name: name,
  issuer: t.string({ help: 'Who asks, as authenticator apps show it.' }),
  period: t.duration({ help: 'How long a code is valid; 30 seconds unless set.', clear: true }),
  key_size: t.int({ help: 'Bytes of the keys that are made; 20 unless set.', clear: true }),
  qr_size: t.int({ help: 'Pixels of the QR code; 200 unless set, 0 = none.', clear: true }),
  algorithm: t.string({ help: 'SHA1, SHA256 or SHA512; SHA1 unless set.', clear: true }),
  digits: t.int({ help: 'Digits of a code: 6 or 8; 6 unless set.', clear: true }),
  skew: t.int({ help: 'Periods before and after that count as well: 0 or 1.', clear: true }),
  max_validation_attempts: t.int({
    help: 'Wrong codes in a row before there is a pause; 5 unless set.',
    clear: true,
  }),
}

const duoFields = {
  method_name: name,
  username_format: usernameFormat,
  integration_key: t.string({ help: 'Integration key for Duo.', sensitive: true }),
  secret_key: t.string({ help: 'Secret key for Duo.', sensitive: true }),
  api_hostname: t.string({ help: 'API host name for Duo.' }),
  push_info: t.string({ help: 'What a push notification says.' }),
  use_passcode: t.bool({ help: 'Whether a passcode is asked for.', clear: true }),
}

const oktaFields = {
  method_name: name,
  username_format: usernameFormat,
  org_name: t.string({ help: 'Name of the organization at Okta.' }),
  api_token: t.string({ help: 'Okta API token.', sensitive: true }),
  base_url: t.string({ help: 'Base domain; okta.com unless set.' }),
  primary_email: t.bool({ help: 'Only the primary e-mail is matched.', clear: true }),
  production: t.bool({ help: 'The older way to say okta.com.', deprecated: true }),
}

const pingidFields = {
  method_name: name,
  username_format: usernameFormat,
  settings_file_base64: t.string({ help: "PingID's settings file, in base64.", sensitive: true }),
}

type Data = Record<string, unknown>

export const FOREIGN_FIELDS: Record<ForeignMethod['type'], Record<string, Field<unknown>>> = {
  duo: duoFields,
  okta: oktaFields,
  pingid: pingidFields,
}

const TOTP_DEFAULTS: TotpSettings = {
  issuer: '',
  period: 30,
  key_size: 20,
  qr_size: 200,
  algorithm: 'SHA1',
  digits: 6,
  skew: 1,
  max_validation_attempts: ATTEMPTS,
}

/** `before` changed by what was given. */
export function totpSettings(
  before: TotpSettings = TOTP_DEFAULTS,
  data: Parsed<typeof totpFields>,
): TotpSettings {
  const algorithm = data.algorithm ?? before.algorithm
  const next: TotpSettings = {
    issuer: data.issuer ?? before.issuer,
    period: data.period ?? before.period,
    key_size: data.key_size ?? before.key_size,
    qr_size: data.qr_size ?? before.qr_size,
    algorithm: isAlgorithm(algorithm)
      ? algorithm
      : refuse('unrecognized algorithm; must be SHA1, SHA256 or SHA512'),
    digits: data.digits ?? before.digits,
    skew: data.skew ?? before.skew,
    // As for Vault, 0 is the default and not "for ever".
    max_validation_attempts: data.max_validation_attempts ?? before.max_validation_attempts,
  }
  next.max_validation_attempts ||= ATTEMPTS
  checkTotp(next)
  return next
}

const isAlgorithm = (word: string): word is TotpAlgorithm =>
  (TOTP_ALGORITHMS as readonly string[]).includes(word)

function checkTotp(settings: TotpSettings): void {
  const { period, key_size, qr_size, digits, skew, max_validation_attempts: attempts } = settings
  if (settings.issuer.trim() === '') refuse('issuer must be set')
  if (/[:\p{Cc}]/u.test(settings.issuer)) refuse('issuer must be printable and without a colon')
  if (period < 1 || period > PERIOD_SECONDS_MAX) {
    refuse(`period must be between 1 and ${PERIOD_SECONDS_MAX} seconds`)
  }
  if (key_size < 16 || key_size > KEY_BYTES_MAX) {
    refuse(`key_size must be between 16 and ${KEY_BYTES_MAX} bytes`)
  }
  if (qr_size < 0 || qr_size > QR_PIXELS_MAX) {
    refuse(`qr_size must be between 0 and ${QR_PIXELS_MAX}`)
  }
  if (digits !== 6 && digits !== 8) refuse('digits must be 6 or 8')
  if (skew !== 0 && skew !== 1) refuse('skew must be 0 or 1')
  if (attempts < 1 || attempts > ATTEMPTS_MAX) {
    refuse(`max_validation_attempts must be between 1 and ${ATTEMPTS_MAX}`)
  }
}

/** What is kept of a method whose service is not asked by this build. */
export function foreignSettings(
  type: ForeignMethod['type'],
  before: ForeignMethod | undefined,
  data: Data,
): Pick<ForeignMethod, 'shown' | 'secrets'> {
  const secrets: Record<string, string> = { ...before?.secrets }
  const shown: Record<string, unknown> = { ...SHOWN[type], ...before?.shown }
  for (const [field, { sensitive }] of Object.entries(FOREIGN_FIELDS[type])) {
    const value = data[field]
    if (value === undefined || field === 'method_name') continue
    if (sensitive) secrets[field] = value as string
    // Vault reads this one back under another name than it is written.
    else shown[field === 'push_info' ? 'pushinfo' : field] = value
  }
  for (const field of REQUIRED[type]) {
    if (!(secrets[field] || shown[field])) refuse(`${field} must be set`)
  }
  if (type === 'pingid') Object.assign(shown, pingidSettings(secrets['settings_file_base64'] ?? ''))
  return { shown, secrets }
}

const REQUIRED: Record<ForeignMethod['type'], readonly string[]> = {
  duo: ['integration_key', 'secret_key', 'api_hostname'],
  okta: ['org_name', 'api_token'],
  pingid: ['settings_file_base64'],
}

const SHOWN: Record<ForeignMethod['type'], Data> = {
  duo: { api_hostname: '', pushinfo: '', use_passcode: false, username_format: '' },
  okta: { org_name: '', base_url: '', primary_email: false, username_format: '' },
  pingid: { username_format: '' },
}

const PINGID_SHOWN = ['idp_url', 'admin_url', 'authenticator_url', 'org_alias']

/** The harmless part of PingID's settings file, which is a list of `name=value` lines. */
function pingidSettings(base64: string): Data {
  const lines = Buffer.from(base64, 'base64').toString('utf8').split(/\r?\n/)
  const pairs = new Map(
    lines.flatMap((line): [string, string][] => {
      const at = line.indexOf('=')
      return at > 0 ? [[line.slice(0, at).trim(), line.slice(at + 1).trim()]] : []
    }),
  )
  if (!pairs.has('org_alias')) refuse('settings_file_base64 is not a settings file of PingID')
  return {
    ...Object.fromEntries(PINGID_SHOWN.map((key) => [key, pairs.get(key) ?? ''])),
    use_signature: pairs.get('use_signature') === 'true',
  }
}

/** A method as it is read back: never a secret. */
export function shownMethod(method: Method, namespaceId: string): Data {
  const { id, name: given, type } = method
  const head = { id, name: given, type, namespace_id: namespaceId }
  if (method.type !== 'totp') return { ...method.shown, ...head }
  const settings = Object.keys(TOTP_DEFAULTS) as (keyof TotpSettings)[]
  return { ...Object.fromEntries(settings.map((key) => [key, method[key]])), ...head }
}
