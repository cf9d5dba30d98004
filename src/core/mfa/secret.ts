/**
 * What an entity has enrolled with a TOTP method, and the check of its codes. A code counts once: of
 * each key only steps after the last accepted one count, whoever asks and on whatever process. Wrong
 * codes are counted with the key, too, and enough of them in a row make a pause that gets longer.
 */
import { type Scope } from '../../barrier/space.ts'
import { base32, matchingStep, type TotpAlgorithm } from '../../crypto/totp.ts'
import { type Random } from '../../lib/random.ts'
import { isId } from '../identity/name-index.ts'
import { secretsOf, type TotpMethod } from './method.ts'

/** The rules are those of the method when the key was made: an app on a phone keeps them, too. */
export type TotpSecret = {
  /** In base64. */
  key: string
  algorithm: TotpAlgorithm
  digits: number
  period: number
  skew: number
  /** The step of the last code that was accepted. */
  last_step: number
  /** Wrong codes since the last right one, or since the last pause began. */
  failures: number
  /** Pauses since the last right code. */
  pauses: number
  /** Milliseconds since the epoch. */
  paused_until: number
}

const PAUSE_DOUBLINGS_MAX = 6

const secretKey = (methodId: string, entityId: string) => secretsOf(methodId) + entityId

export async function secretOf(
  scope: Scope,
  method: TotpMethod,
  entityId: string,
): Promise<TotpSecret | undefined> {
  return isId(entityId) ? scope.get<TotpSecret>(secretKey(method.id, entityId)) : undefined
}

/** Enrols an entity, and returns the URL for its app: the only time that the key is told. */
export function makeSecret(
  scope: Scope,
  { method, entityId, random }: { method: TotpMethod; entityId: string; random: Random },
): string {
  const { algorithm, digits, period, skew, issuer } = method
  const key = random(method.key_size)
  const secret: TotpSecret = {
    key: key.toString('base64'),
    algorithm,
    digits,
    period,
    skew,
    last_step: -1,
    failures: 0,
    pauses: 0,
    paused_until: 0,
  }
  scope.put(secretKey(method.id, entityId), secret)
  const query = new URLSearchParams({
    algorithm,
    digits: String(digits),
    issuer,
    period: String(period),
    secret: base32(key),
  })
  // Apps do not read a plus as a space.
  const rest = query.toString().replaceAll('+', '%20')
  return `otpauth://totp/${encodeURIComponent(issuer)}:${entityId}?${rest}`
}

export function removeSecret(scope: Scope, methodId: string, entityId: string): void {
  scope.remove(secretKey(methodId, entityId))
}

/** Why a code does not count, for people. */
export type Refused = { why: string }

/** What has become of a try: `next` is to be stored whether the request is refused or not. */
export type Tried = { refused?: Refused; next?: TotpSecret }

export function saveSecret(
  scope: Scope,
  { methodId, entityId }: { methodId: string; entityId: string },
  secret: TotpSecret,
): void {
  scope.put(secretKey(methodId, entityId), secret)
}

/** Whether a code counts. It stores nothing. */
export async function tryCode(
  scope: Scope,
  { method, entityId }: { method: TotpMethod; entityId: string },
  { passcode, now }: { passcode: string; now: number },
): Promise<Tried> {
  const refuse = (why: string, next?: TotpSecret): Tried => ({
    refused: { why },
    ...(next && { next }),
  })
  const secret = await secretOf(scope, method, entityId)
  if (!secret) return refuse(`no secret of MFA method "${method.name}" is enrolled`)
  if (secret.paused_until > now) {
    const seconds = Math.ceil((secret.paused_until - now) / 1000)
    return refuse(`maximum TOTP validation attempts exceeded; try again in ${seconds} seconds`)
  }
  // People write a code in two groups. Nothing else than its digits is a code, and no try either.
  const code = passcode.replace(/[ \t\r\n]/g, '')
  if (!/^[0-9]+$/.test(code) || code.length !== secret.digits) {
    return refuse(`expected a passcode of ${secret.digits} digits`)
  }
  const rules = { ...secret, periodSeconds: secret.period, now }
  const step = matchingStep(Buffer.from(secret.key, 'base64'), code, rules)
  if (step !== undefined && step > secret.last_step) return { next: reset(secret, step) }
  const next = failed(secret, method, now)
  return step === undefined
    ? refuse('failed to validate TOTP passcode', next)
    : refuse('code already used; wait until the next time period', next)
}

const reset = (secret: TotpSecret, step: number): TotpSecret => ({
  ...secret,
  last_step: step,
  failures: 0,
  pauses: 0,
  paused_until: 0,
})

function failed(secret: TotpSecret, method: TotpMethod, now: number): TotpSecret {
  const failures = secret.failures + 1
  if (failures < method.max_validation_attempts) return { ...secret, failures }
  const windowMs = secret.period * (1 + 2 * secret.skew) * 1000
  const pauseMs = windowMs * 2 ** Math.min(secret.pauses, PAUSE_DOUBLINGS_MAX)
  return { ...secret, failures: 0, pauses: secret.pauses + 1, paused_until: now + pauseMs }
}
