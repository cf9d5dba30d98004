/**
 * Whether an error says that a login was refused: the credential may have been rotated, and a fresh
 * one may work. One list for all drivers, so that each of them is followed in the same way.
 */

/** PostgreSQL: wrong password, and a login that is not (any more) permitted. */
const CODES = new Set<unknown>([
  '28P01',
  '28000',
  // MariaDB and MySQL: wrong password, no password plugin's consent, account locked.
  'ER_ACCESS_DENIED_ERROR',
  'ER_ACCESS_DENIED_NO_PASSWORD_ERROR',
  'ER_ACCOUNT_HAS_BEEN_LOCKED',
])
const MYSQL_NUMBERS = new Set<unknown>([1045, 1698, 3118, 4151])
/** Redis: wrong password, or a session whose user was taken away. */
const REDIS_WORDS = /^(WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)\b/

/**
 * True for what `pg`, `mysql2`, `redis` and `ioredis` throw when a login is refused, and for an HTTP
 * answer or error with status 401. False for a server that is away: nothing was learned then.
 */
export function isAuthFailure(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code, errno, message, status, statusCode, response } = error as Record<string, unknown>
  if (CODES.has(code) || MYSQL_NUMBERS.has(errno)) return true
  if (status === 401 || statusCode === 401) return true
  if (typeof message === 'string' && REDIS_WORDS.test(message)) return true
  return Object(response) === response && (response as { status?: unknown }).status === 401
}
