/**
 * The server, asked the way Vault's own clients ask: PUT for writes, `?list=true` for lists, two
 * retries on what may pass, redirects followed with the token, every failure in Vault's words.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isObject, type JsonObject, parseJson } from '../../lib/json.ts'
import { CliError, PrintedInstead } from '../cli-error.ts'
import type { Settings } from '../settings.ts'
import { ApiFailure, type Asked, refused, saysWhy, unreachable } from './failure-text.ts'
import { asCurl, asPolicy } from './instead.ts'
import { type Received, send, type Streaming, type Wire } from './send.ts'

export type Method = 'GET' | 'LIST' | 'SCAN' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

export type Ask = {
  readonly method: Method
  /** Below `/v1/`, without a leading slash. */
  readonly path: string
  /** Starts the message when it fails: `Error reading secret/x`. */
  readonly doing: string
  readonly query?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: unknown
  /** A question the command asks for itself: never wrapped, never shown as curl. */
  readonly aside?: true
  /** Instead of the token of the settings; an empty one sends none. */
  readonly token?: string
  /** The path must exist: a 404 that says why is a failure, not an absence. */
  readonly strict?: true
  /** About the server as a whole: asked of no namespace, whatever the settings say. */
  readonly server?: true
  /** Statuses that are answers here and not failures. */
  readonly accept?: readonly number[]
  /** The answer goes on; it is given bit by bit. */
  readonly streaming?: Streaming
}

/** The envelope of the API. `raw` is the body as it came, numbers exact. */
export type Secret = {
  readonly data: JsonObject | null
  readonly warnings: readonly string[]
  readonly auth: JsonObject | null
  readonly wrapInfo: JsonObject | null
  readonly leaseId: string
  readonly leaseDuration: number
  readonly renewable: boolean
  readonly raw: JsonObject
}

export type Api = {
  readonly address: string
  /** Any answer of 2xx or an accepted status; everything else throws. */
  call(ask: Ask): Promise<Received>
  /** The envelope; undefined for an empty body, and for a 404 that carries nothing. */
  secret(ask: Ask): Promise<Secret | undefined>
  /** A body that is no envelope: `sys/seal-status` and its like. */
  bare(ask: Ask): Promise<JsonObject>
}

const REDIRECTS_MAX = 3
const RETRY_MS = 300

export function connect(program: string, settings: Settings): Api {
  const call = (ask: Ask) => exchange(program, settings, ask)
  return {
    address: settings.address,
    call,
    async secret(ask) {
      const absent = ['GET', 'LIST', 'SCAN'].includes(ask.method) ? [404] : []
      const { status, text } = await call({ ...ask, accept: [...absent, ...(ask.accept ?? [])] })
      if (text.trim() === '') return undefined
      const secret = asSecret(parseBody(ask.doing, text))
      if (status !== 404) return secret
      return secret.data !== null || secret.warnings.length > 0 ? secret : undefined
    },
    async bare(ask) {
      const { text } = await call(ask)
      return text.trim() === '' ? {} : parseBody(ask.doing, text)
    },
  }
}

/** The envelope in a parsed body, with its optional parts filled in. */
export function asSecret(raw: JsonObject): Secret {
  const object = (key: string) => (isObject(raw[key]) ? raw[key] : null)
  const warnings = raw['warnings']
  return {
    data: object('data'),
    warnings: Array.isArray(warnings) ? warnings.map(String) : [],
    auth: object('auth'),
    wrapInfo: object('wrap_info'),
    leaseId: typeof raw['lease_id'] === 'string' ? raw['lease_id'] : '',
    leaseDuration: typeof raw['lease_duration'] === 'number' ? raw['lease_duration'] : 0,
    renewable: raw['renewable'] === true,
    raw,
  }
}

function parseBody(doing: string, text: string): JsonObject {
  let parsed: unknown
  try {
    parsed = parseJson(text)
  } catch {
    parsed = undefined
  }
  if (isObject(parsed)) return parsed
  throw new CliError(`${doing}: the answer of the server is not a JSON object`, {
    exit: 2,
    hint: 'is VAULT_ADDR the address of the server itself?',
  })
}

async function exchange(program: string, settings: Settings, ask: Ask): Promise<Received> {
  const wire = wireOf(settings, ask)
  const shown = `${origin(wire)}${wire.target}`
  const asked: Asked = {
    method: wire.method,
    url: shown,
    namespace: settings.namespace,
    doing: ask.doing,
    program,
    token: settings.token !== undefined,
  }
  if (ask.aside !== true) {
    const { skipVerify } = settings.tls
    if (settings.curl)
      throw new PrintedInstead(asCurl(program, { ...wire, url: shown }, { skipVerify }))
    if (settings.policy) throw new PrintedInstead(asPolicy(ask.method, ask.path))
  }
  let received: Received
  try {
    received = await sendPatiently(settings, wire, ask)
  } catch (error) {
    if (error instanceof CliError) throw error
    throw unreachable(asked, settings.address, error)
  }
  const { status, text } = received
  const lacking = ask.strict === true && status === 404 && saysWhy(text)
  const accepted = ask.accept?.includes(status) === true && !lacking
  if ((status >= 200 && status < 300) || accepted) return received
  throw refused(asked, status, text)
}

/** Sends, follows redirects, and tries twice more on what may pass: 5xx but 501, and 412. */
async function sendPatiently(
  settings: Settings,
  first: Wire,
  { accept = [], streaming }: Ask,
): Promise<Received> {
  let wire = first
  let redirects = 0
  for (let tries = 0; ;) {
    const received = await send(wire, settings, streaming)
    const { status, headers } = received
    const location = headers['location']
    if (
      [301, 302, 307].includes(status) &&
      typeof location === 'string' &&
      redirects < REDIRECTS_MAX
    ) {
      redirects++
      wire = redirected(wire, location)
      continue
    }
    const passing = (status >= 500 && status !== 501) || status === 412
    const answer = !passing || accept.includes(status)
    if (answer || tries >= settings.retriesMax) return received
    tries++
    await sleep(RETRY_MS * tries * (0.75 + Math.random() / 2))
  }
}

function redirected(wire: Wire, location: string): Wire {
  const url = new URL(location, wire.url)
  if (wire.url.protocol === 'https:' && url.protocol !== 'https:') {
    throw new CliError('the server redirected from https to http: the token was not sent there', {
      exit: 2,
    })
  }
  return { ...wire, url, target: url.pathname + url.search, socket: undefined }
}

function wireOf(settings: Settings, ask: Ask): Wire {
  const { url, socket, base } = parseAddress(settings.address)
  const query = new URLSearchParams()
  if (ask.method === 'LIST') query.append('list', 'true')
  if (ask.method === 'SCAN') query.append('scan', 'true')
  for (const [key, value] of Object.entries(ask.query ?? {})) {
    for (const each of typeof value === 'string' ? [value] : value) query.append(key, each)
  }
  const search = query.size === 0 ? '' : `?${query.toString()}`
  const body = ask.body === undefined ? undefined : JSON.stringify(ask.body)
  return {
    method: ask.method === 'LIST' || ask.method === 'SCAN' ? 'GET' : ask.method,
    url,
    socket,
    target: `${base}/v1/${encodePath(ask.path)}${search}`,
    headers: headersOf(settings, ask),
    body,
  }
}

function headersOf(settings: Settings, ask: Ask): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = { 'X-Vault-Request': 'true' }
  const token = ask.token ?? settings.token
  if (token !== undefined && token !== '') headers['X-Vault-Token'] = checkedToken(token)
  if (settings.namespace !== undefined && ask.server !== true) {
    headers['X-Vault-Namespace'] = `${settings.namespace.replace(/^\/+|\/+$/g, '')}/`
  }
  if (settings.mfa.length > 0) headers['X-Vault-MFA'] = settings.mfa
  if (settings.policyOverride) headers['X-Vault-Policy-Override'] = 'true'
  if (ask.aside !== true && settings.wrapTtl !== undefined) {
    headers['X-Vault-Wrap-TTL'] = settings.wrapTtl
  }
  if (ask.body !== undefined) {
    const type = ask.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    headers['Content-Type'] = type
  }
  for (const pair of settings.headers) {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new CliError('-header must be of the form key=value')
    const name = pair.slice(0, equals)
    if (/^x-vault-/i.test(name)) throw new CliError('-header cannot set a header of X-Vault-*')
    headers[name] = pair.slice(equals + 1)
  }
  return headers
}

/** A token with other characters would end up in a header split, and in an error that quotes it. */
function checkedToken(token: string): string {
  if (/^[!-~]+$/.test(token)) return token
  throw new CliError('the token contains a space or a non-printable character', {
    hint: 'check VAULT_TOKEN and ~/.vault-token for a stray newline',
  })
}

function parseAddress(address: string): { url: URL; socket: string | undefined; base: string } {
  if (address.startsWith('unix://')) {
    return { url: new URL('http://localhost'), socket: address.slice('unix://'.length), base: '' }
  }
  const url = URL.parse(address)
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new CliError('the address must look like https://host:8200', {
      hint: 'check -address, COFFER_ADDR and VAULT_ADDR',
    })
  }
  return { url, socket: undefined, base: url.pathname.replace(/\/+$/, '') }
}

function origin({ url, socket }: Wire): string {
  return socket === undefined ? url.origin : `http://${socket}`
}

/** Slashes stay; everything a URL would read as its own is escaped. */
function encodePath(path: string): string {
  return encodeURI(path).replaceAll('?', '%3F').replaceAll('#', '%23')
}

/** The status of a refusal, for commands that know another way. */
export function refusedWith(error: unknown, ...statuses: readonly number[]): error is ApiFailure {
  return error instanceof ApiFailure && statuses.includes(error.status)
}
