/**
 * Puts the client together: address, login, and the calls a program makes. A client is a plain
 * object of functions; printing it shows no token.
 */
import { setMaxListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Secret } from '../lib/secret.ts'
import { type Auth, authFromEnv } from './auth.ts'
import { ClosedError, CofferError, DeniedError, InvalidRequestError } from './errors.ts'
import { follow, type FollowFn, type Following, type FollowOptions } from './follow.ts'
import { type Answer, type Call, type CallOptions, createSend } from './http.ts'
import { createKv, type Kv, listed } from './kv.ts'
import { createMounts } from './mounts.ts'
import { createOnSecret, type OnSecret } from './on-secret.ts'
import { type Reply, replyOf } from './reply.ts'
import { Session } from './session.ts'
import { type WatchEvent, watchEvents, type WatchLine, type WatchOptions } from './watch.ts'
import { type FetchLike, fetchTransport, nodeTransport, type TlsOptions } from './transport.ts'

export type ConnectOptions = {
  /** Default: COFFER_ADDR, else VAULT_ADDR, else http://127.0.0.1:8200. */
  address?: string | undefined
  /** Default: what `authFromEnv` finds in the environment. */
  auth?: Auth | undefined
  /** Default: COFFER_NAMESPACE, else VAULT_NAMESPACE, else BAO_NAMESPACE. */
  namespace?: string | undefined
  /** Sent along with every call, unless that says otherwise. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Used in place of node:http(s), and then responsible for TLS. */
  fetch?: FetchLike | undefined
  /** `ca` defaults to the file named by COFFER_CACERT, else VAULT_CACERT. */
  tls?: TlsOptions | undefined
  /** For one call with all its retries. Default 30000. */
  timeoutMs?: number | undefined
  /** How often a call is sent at most. Default 3; 1 turns retries off. */
  tries?: number | undefined
  /** Ends the login only; the client lives until `close()`. */
  signal?: AbortSignal | undefined
  /** Told of every secret value the client gets to know, for a scrubber of logs. */
  onSecret?: OnSecret | undefined
  /** Told when the token could not be kept alive. Without it, a warning is emitted. */
  onError?: ((error: unknown) => void) | undefined
  /** Read in place of process.env. */
  env?: Readonly<Record<string, string | undefined>> | undefined
  /** From 0 up to 1: spreads retries and renewals. */
  random?: (() => number) | undefined
}

export type Client = {
  readonly address: string
  /** The token in use, which changes with every login. */
  readonly token: Secret
  /** The key-value store at a mount; version 1 or 2 is found out. */
  kv(mount?: string): Kv
  /** Reads any path of the API: `client.read('database/creds/app')`. */
  read(path: string, options?: QueryOptions): Promise<Reply>
  write(path: string, data?: Record<string, unknown>, options?: WrapOptions): Promise<Reply>
  patch(path: string, data: Record<string, unknown>, options?: CallOptions): Promise<Reply>
  delete(path: string, options?: QueryOptions): Promise<Reply>
  /** Names below a path; empty when there are none. */
  list(path: string, options?: QueryOptions): Promise<string[]>
  /** Opens a wrapped response. Works once for each wrapping token. */
  unwrap(token: string | Secret, options?: CallOptions): Promise<Reply>
  /** Calls `fn` with a secret now and with each new version of it. */
  follow(ref: string, fn: FollowFn, options?: FollowOptions): Following
  /**
   * What happens at a path and below it, where the server tells that (this project's does): types,
   * paths and versions, never a value. Ends with its signal, or by an error that will not pass.
   */
  watch(prefix?: string, options?: WatchOptions): AsyncGenerator<WatchEvent, void, undefined>
  /** Stops renewals, ends calls under way; `revoke` also makes the server forget the token. */
  close(options?: { revoke?: boolean }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
export type QueryOptions = WrapOptions & { query?: Record<string, string | number | undefined> }
/** `wrapTtl`: seconds or `5m`; the reply then has `wrapInfo` and nothing else. */
export type WrapOptions = CallOptions & { wrapTtl?: string | number | undefined }

const TIMEOUT_MS = 30_000
const TRIES = 3

/** Logs in and gives the client. Rejects with what the login met. */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { env = process.env, random = Math.random, onError = warn } = options
  const address = parseAddress(options.address ?? fromEnv(env, 'ADDR') ?? 'http://127.0.0.1:8200')
  const onSecret = createOnSecret(options.onSecret)
  const transport = transportOf(options, env)
  const closing = new AbortController()
  // Each call under way listens; Node 20 would warn of a leak from the 11th on.
  setMaxListeners(0, closing.signal)
  const send = createSend({
    address,
    transport,
    namespace:
      options.namespace ?? fromEnv(env, 'NAMESPACE') ?? (env['BAO_NAMESPACE'] || undefined),
    headers: options.headers,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    tries: options.tries ?? TRIES,
    random,
    closed: closing.signal,
  })
  const auth = options.auth ?? authFromEnv(env)
  const session = new Session({ auth, send, random, onToken: onSecret.token, onError })
  const end = () => {
    session.close()
    closing.abort(new ClosedError())
    transport.close()
  }
  try {
    await session.open({ signal: options.signal })
  } catch (error) {
    end()
    throw error
  }
  return createClient({ address, session, onSecret, random, end, closed: closing.signal })
}

type Parts = {
  address: URL
  session: Session
  onSecret: ReturnType<typeof createOnSecret>
  random: () => number
  end: () => void
  closed: AbortSignal
}

function createClient({ address, session, onSecret, random, end, closed }: Parts): Client {
  const call = (request: Call) => session.call(request)
  const mounts = createMounts(call)
  const reply = async (request: Call): Promise<Reply> => {
    const made = replyOf(await call(request))
    onSecret.reply(made, request.path)
    return made
  }
  const close: Client['close'] = async (options = {}) => {
    if (closed.aborted) return
    try {
      if (options.revoke) await revokeSelf(call)
    } finally {
      end()
    }
  }
  const client: Client = {
    address: address.href.replace(/\/$/, ''),
    get token() {
      return session.token
    },
    kv: (mount = 'secret') => createKv(mount, { call, mounts, onData: onSecret.data }),
    read: (path, options) => reply({ ...options, method: 'GET', path }),
    write: (path, body = {}, options) => reply({ ...options, method: 'POST', path, body }),
    patch: (path, body, options) => reply({ ...options, method: 'PATCH', path, body }),
    delete: (path, options) => reply({ ...options, method: 'DELETE', path }),
    list: (path, options) =>
      listed(call({ ...options, method: 'GET', path, query: { ...options?.query, list: 'true' } })),
    unwrap: (token, options) =>
      reply({ ...options, method: 'POST', path: 'sys/wrapping/unwrap', body: { token } }),
    follow: (ref, fn, options) => follow(ref, fn, { ...options, client }),
    watch: (prefix = '', options) => watchEvents(lineOf(call), prefix, { ...options, random }),
    close,
    [asyncDispose]: () => close(),
  }
  return client
}

function lineOf(call: (request: Call) => Promise<Answer>): WatchLine {
  const asked = { method: 'GET', path: 'sys/coffer/watch', background: true } as const
  return {
    stream: (query, chunk, signal) => call({ ...asked, query, chunk, signal }),
    poll: async (query, signal) => (await call({ ...asked, query, signal })).body?.['data'],
  }
}

/** Node before 20.5 lacks the symbol; compilers fall back to this name as well. */
export const asyncDispose: typeof Symbol.asyncDispose =
  (Symbol as { asyncDispose?: typeof Symbol.asyncDispose }).asyncDispose ??
  (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose)

async function revokeSelf(call: (request: Call) => Promise<Answer>): Promise<void> {
  try {
    await call({ method: 'POST', path: 'auth/token/revoke-self', body: {} })
  } catch (error) {
    // A token that is not valid any more is what was asked for.
    if (!(error instanceof DeniedError)) throw error
  }
}

type Env = Readonly<Record<string, string | undefined>>

function fromEnv(env: Env, name: string): string | undefined {
  return env[`COFFER_${name}`] || env[`VAULT_${name}`] || undefined
}

function parseAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    throw new InvalidRequestError({
      hint: 'the address must be a plain http:// or https:// URL, such as https://vault.example:8200',
    })
  }
  return url
}

function transportOf({ fetch, tls }: ConnectOptions, env: Env) {
  if (fetch) {
    if (tls) throw new InvalidRequestError({ hint: 'give tls to your own fetch, not beside it' })
    return fetchTransport(fetch)
  }
  const caFile = fromEnv(env, 'CACERT')
  if (tls?.ca !== undefined || caFile === undefined) return nodeTransport(tls)
  try {
    return nodeTransport({ ...tls, ca: readFileSync(caFile) })
  } catch (cause) {
    const hint = `could not read the certificate file ${caFile} that the environment names`
    throw new InvalidRequestError({ hint, cause })
  }
}

function warn(error: unknown): void {
  const said = error instanceof CofferError ? error.message : 'the login failed'
  process.emitWarning(`the token could not be kept alive: ${said}`, 'CofferWarning')
}
