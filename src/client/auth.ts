/**
 * Ways to log in, as values: what to send, and whether it can be sent again when the token ends.
 * What is secret stays inside the functions, so printing an Auth tells nothing.
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../lib/secret.ts'
import { type CofferError, DeniedError, InvalidRequestError, mayBeBadToken } from './errors.ts'
import { type Answer, type CallOptions, type Send } from './http.ts'

/** Text, or a function asked at every login: for a value that a file or another tool keeps fresh. */
export type SecretInput = string | Secret | (() => string | Secret | Promise<string | Secret>)

/** A token as it was given out. `ttlSeconds` 0 means that it does not expire. */
export type Login = { token: Secret; ttlSeconds: number; renewable: boolean }

export type Auth = {
  readonly kind: string
  /** Whether `login` gives a new token when called again. */
  readonly repeatable: boolean
  /** Who logs in, for what is kept for this one alone. Never sent, never stored as it is. */
  identity?(): Promise<string>
  login(send: Send, options?: CallOptions): Promise<Login>
}

/**
 * AppRole. The secret id comes as it is, or as the token of a wrapped response: that one is opened
 * once, must have been made by `…/secret-id` of this mount, and the secret id stays in memory for
 * the next login. Without both, the role must do without a secret id.
 */
export function appRole(options: {
  roleId: SecretInput
  secretId?: SecretInput
  wrappedSecretId?: SecretInput
  mount?: string
}): Auth {
  const { roleId, secretId, wrappedSecretId, mount = 'approle' } = options
  if (secretId !== undefined && wrappedSecretId !== undefined) {
    throw new InvalidRequestError({ hint: 'give secretId or wrappedSecretId, not both' })
  }
  let unwrapped: Secret | undefined
  return {
    kind: 'approle',
    repeatable: true,
    identity: async () => identityOf('approle', mount, await take(roleId, 'role id')),
    async login(send, call = {}) {
      const body: Record<string, unknown> = { role_id: await take(roleId, 'role id') }
      if (wrappedSecretId !== undefined) {
        unwrapped ??= await unwrapSecretId(send, { ...call, mount, wrapped: wrappedSecretId })
        body['secret_id'] = unwrapped
      } else if (secretId !== undefined) {
        body['secret_id'] = await take(secretId, 'secret id')
      }
      return logIn(send, { ...call, path: `auth/${mount}/login`, body })
    },
  }
}

export function userpass(options: {
  username: string
  password: SecretInput
  mount?: string
}): Auth {
  const { username, password, mount = 'userpass' } = options
  return {
    kind: 'userpass',
    repeatable: true,
    identity: async () => identityOf('userpass', mount, username),
    async login(send, call = {}) {
      const body = { password: await take(password, 'password') }
      return logIn(send, { ...call, path: `auth/${mount}/login/${username}`, body })
    },
  }
}

/**
 * A token that exists already. It is renewed like any other, and a function is asked again when the
 * token has ended; a fixed text cannot be replaced.
 */
export function token(value: SecretInput): Auth {
  return {
    kind: 'token',
    repeatable: typeof value === 'function',
    identity: async () => identityOf('token', '', await take(value, 'token')),
    async login(send, call = {}) {
      const token = await take(value, 'token')
      try {
        const path = 'auth/token/lookup-self'
        const { body } = await send({ ...call, method: 'GET', path, token })
        const data = Object(body?.['data']) as { ttl?: unknown; renewable?: unknown }
        return { token, ttlSeconds: Number(data.ttl ?? 0), renewable: data.renewable === true }
      } catch (error) {
        // A policy may forbid the look; then the token is used for as long as it lasts.
        if (!(error instanceof DeniedError) || mayBeBadToken(error)) throw error
        return { token, ttlSeconds: 0, renewable: false }
      }
    },
  }
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * From COFFER_TOKEN, or COFFER_ROLE_ID with COFFER_SECRET_ID, COFFER_SECRET_ID_FILE or
 * COFFER_WRAPPED_SECRET_ID; then the same names with VAULT_; then the file ~/.vault-token.
 */
export function authFromEnv(env: Env): Auth {
  for (const prefix of ['COFFER', 'VAULT']) {
    const of = (name: string) => env[`${prefix}_${name}`] || undefined
    const value = of('TOKEN')
    if (value !== undefined) return token(value)
    const roleId = of('ROLE_ID')
    if (roleId === undefined) continue
    const wrappedSecretId = of('WRAPPED_SECRET_ID')
    const file = of('SECRET_ID_FILE')
    const secretId = of('SECRET_ID') ?? (file === undefined ? undefined : () => readText(file))
    if (wrappedSecretId !== undefined) return appRole({ roleId, wrappedSecretId })
    return appRole({ roleId, ...(secretId === undefined ? {} : { secretId }) })
  }
  return token(() => readText(join(env['HOME'] ?? homedir(), '.vault-token')))
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const hint = 'no way to log in: give auth, or set COFFER_TOKEN or COFFER_ROLE_ID'
    throw new InvalidRequestError({ hint: `${hint} (could not read ${path})`, cause })
  }
}

/** The value as one line: files end in a newline, and no header can carry one. */
async function take(input: SecretInput, name: string): Promise<Secret> {
  const given = typeof input === 'function' ? await input() : input
  const text = (given instanceof Secret ? given.reveal() : given).trim()
  if (text === '') throw new InvalidRequestError({ hint: `the ${name} is empty` })
  return new Secret(text, name)
}

function identityOf(kind: string, mount: string, name: string | Secret): string {
  return JSON.stringify([kind, mount, name instanceof Secret ? name.reveal() : name])
}

export async function logIn(
  send: Send,
  { path, body, ...call }: CallOptions & { path: string; body: unknown },
): Promise<Login> {
  try {
    return loginOf(await send({ ...call, method: 'POST', path, body }), path)
  } catch (error) {
    // Servers answer a wrong password with 400. To the one who logs in, that is a refusal.
    if (error instanceof InvalidRequestError && error.status === 400) throw refused(error)
    throw error
  }
}

function refused({ method, path, errors }: CofferError): DeniedError {
  return new DeniedError({ method: method ?? '', path: path ?? '', status: 400, errors })
}

/** The token in an answer's `auth`. */
function loginOf({ body }: Answer, path: string): Login {
  const auth = Object(body?.['auth']) as Record<string, unknown>
  const text = auth['client_token']
  if (typeof text !== 'string' || text === '') {
    throw new DeniedError({
      path,
      hint: 'the login gave no token: a second factor is not supported',
    })
  }
  return {
    token: new Secret(text, 'token'),
    ttlSeconds: Number(auth['lease_duration'] ?? 0),
    renewable: auth['renewable'] === true,
  }
}

type Unwrap = CallOptions & { mount: string; wrapped: SecretInput }

/**
 * Looks before it opens: a token that wraps something else was put there by someone else. And one
 * that is used up was opened by someone else, which is worth an alarm and not a retry.
 */
async function unwrapSecretId(send: Send, { mount, wrapped, ...call }: Unwrap): Promise<Secret> {
  const token = await take(wrapped, 'wrapping token')
  try {
    const look = await send({
      ...call,
      method: 'POST',
      path: 'sys/wrapping/lookup',
      body: { token },
    })
    const path = String((Object(look.body?.['data']) as Record<string, unknown>)['creation_path'])
    const start = `auth/${mount}/role/`
    if (!path.startsWith(start) || !/^[^/]+\/(custom-)?secret-id$/.test(path.slice(start.length))) {
      const hint = `the wrapping token was made by another path than ${start}…/secret-id`
      throw new DeniedError({ path: 'sys/wrapping/lookup', hint })
    }
    const { body } = await send({ ...call, method: 'POST', path: 'sys/wrapping/unwrap', token })
    const data = Object(body?.['data']) as Record<string, unknown>
    if (typeof data['secret_id'] === 'string') return new Secret(data['secret_id'], 'secret id')
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error
    const hint = 'the wrapped secret id is gone: it expired, or someone else opened it'
    throw new DeniedError({ path: 'sys/wrapping/unwrap', errors: error.errors, hint })
  }
  throw new DeniedError({
    path: 'sys/wrapping/unwrap',
    hint: 'the wrapped answer has no secret_id',
  })
}
