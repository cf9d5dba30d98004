/**
 * What the engine asks of a database, whichever it is. A target is opened with a configuration, keeps
 * connections as its root user, and is closed when nobody has used it for a while.
 */
import { Failure } from '../../kit/kit.ts'
import { type Probe } from '../../kit/rotation.ts'
import { type Random } from '../../lib/random.ts'

export type Login = { readonly username: string; readonly password: string }

/** How a user proves who it is: the parts that are there depend on the role's credential type. */
export type Proof = {
  readonly password?: string
  /** PEM. */
  readonly publicKey?: string
  /** Of a certificate, as `CN=…`. */
  readonly subject?: string
}

export type User = Proof & {
  readonly username: string
  readonly statements: readonly string[]
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export type Target = {
  /** For people: what and where, e.g. `postgresql (127.0.0.1:5432)`; no credentials. */
  readonly label: string
  /** A real question as the root user. */
  check(): Promise<void>
  create(user: User): Promise<void>
  renew(user: Pick<User, 'username' | 'statements' | 'expiresAt'>): Promise<void>
  /** Nothing of it is left; so too when there was none. */
  drop(user: Pick<User, 'username' | 'statements'>): Promise<void>
  /** A new password in place of the old, which is gone at once. */
  setPassword(login: Login, statements: readonly string[]): Promise<void>
  /** A real login, on this target or at another address of it. Rejects never. */
  probe(login: Login, address?: Address): Promise<Probe>
  close(): Promise<void>
}

export type Address = { readonly host: string; readonly port: number }

/** What a target is opened with. */
export type Opening = {
  readonly plugin: string
  readonly details: Readonly<Record<string, unknown>>
  readonly login: Login
  readonly random: Random
}

/**
 * The database did not do it. The text says what it answered, without any value; `outcome` says
 * whether it has answered at all.
 */
export class TargetError extends Error {
  override readonly name = 'TargetError'
  readonly outcome: 'refused' | 'unreachable'
  /** The database's own code, e.g. `28P01`. */
  readonly code: string

  constructor(text: string, outcome: 'refused' | 'unreachable', code = '') {
    super(text)
    this.outcome = outcome
    this.code = code
  }
}

/** The text without these values; a database may quote what it was told. */
export function withoutValues(text: string, secrets: readonly (string | undefined)[]): string {
  let clean = text
  for (const secret of secrets) {
    if (secret === undefined || secret === '') continue
    for (const form of new Set([secret, encodeURIComponent(secret)])) {
      clean = clean.replaceAll(form, '[secret]')
    }
  }
  return clean.replace(VERIFIER, '[secret]')
}

/** What stands for a password in a database is as little to be told: it can be guessed at in peace. */
const VERIFIER = /SCRAM-SHA-256\$[\w+/=:$]+|\*[0-9A-F]{40}|\b[0-9a-f]{64}\b/g

/** Runs a login, and says what came of it. */
export async function probing(attempt: () => Promise<void>): Promise<Probe> {
  try {
    await attempt()
    return { outcome: 'works' }
  } catch (error) {
    if (!(error instanceof TargetError)) return { outcome: 'unreachable', why: 'unknown trouble' }
    return { outcome: error.outcome, why: error.message }
  }
}

/** Names and numbers of a configuration, which clients send as text too. */
export const textOf = (details: Opening['details'], name: string): string => {
  const value = details[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
export const flagOf = (details: Opening['details'], name: string): boolean =>
  details[name] === true || ['true', '1', 't'].includes(textOf(details, name).toLowerCase())
export function numberOf(details: Opening['details'], name: string, otherwise: number): number {
  const value = Number(details[name])
  return Number.isSafeInteger(value) && value > 0 ? value : otherwise
}

export const CONNECT_MS = 10_000
export const STATEMENT_MS = 20_000
/** How long a connection may stand unused. */
export const IDLE_MS = 10_000

/** `host:port`, `[v6]:port`; the port may be left out. */
export function addressOf(text: string, defaultPort: number): Address | undefined {
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([^:[\]/@\s]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = v6 ?? name
  return host === undefined
    ? undefined
    : { host: checkedHost(host), port: portOf(port, defaultPort) }
}

/** A Failure for what is no host: drivers throw where nobody catches it, and wait for ever then. */
export function checkedHost(host: string): string {
  if (!/[\0-\x20\x7f]/.test(host)) return host
  throw new Failure('bad_request', 'the host must be a name, an address, or the path of a socket')
}

/** A Failure for what is no port, for the same reason. */
export function portOf(text: string | undefined, otherwise: number): number {
  if (text === undefined || text === '') return otherwise
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port > 0 && port <= 65_535) return port
  throw new Failure('bad_request', 'the port must be a number from 1 to 65535')
}
