/**
 * What databases keep in place of a password. Made here, so that no password stands in a statement:
 * statements are logged, by the database and by those between.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { type Random } from '../../lib/random.ts'

const ITERATIONS = 4096

/**
 * PostgreSQL's SCRAM-SHA-256 (RFC 5802, 7677). Passwords outside ASCII would have to be prepared as
 * RFC 4013 says; NFKC is that for all that can be printed.
 */
export function scramVerifier(password: string, random: Random): string {
  const salt = random(16)
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, ITERATIONS, 32, 'sha256')
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64')
  const server = hmac('Server Key').toString('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${server}`
}

/** MySQL's and MariaDB's mysql_native_password. */
export function nativeVerifier(password: string): string {
  const once = createHash('sha1').update(password).digest()
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`
}

/** What Redis keeps of a password, without its `#`. */
export const redisVerifier = (password: string): string =>
  createHash('sha256').update(password).digest('hex')
