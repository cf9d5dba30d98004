/**
 * What a failed request says: the text as Vault's clients print it, and, where it is known, the
 * next thing to do.
 */
import { isObject, parseJson } from '../../lib/json.ts'
import { CliError, messageOf } from '../cli-error.ts'

/** A request that the server refused. `exit` is 2, as for everything remote. */
export class ApiFailure extends CliError {
  readonly status: number
  readonly errors: readonly string[]

  constructor(status: number, errors: readonly string[], options: { text: string; hint?: string }) {
    super(options.text, { exit: 2, ...(options.hint === undefined ? {} : { hint: options.hint }) })
    this.status = status
    this.errors = errors
  }
}

export type Asked = {
  readonly method: string
  readonly url: string
  readonly namespace: string | undefined
  /** `Error reading secret/x`: what the command was about. May be empty. */
  readonly doing: string
  readonly program: string
  /** Whether a token went along. */
  readonly token: boolean
}

export function refused(asked: Asked, status: number, body: string): ApiFailure {
  const errors = errorsIn(body)
  const detail =
    errors === undefined
      ? `Code: ${status}. Raw Message:\n\n${body.trim()}`
      : `Code: ${status}. Errors:\n${errors.map((each) => `\n* ${each}`).join('')}`
  const where = asked.namespace === undefined ? '' : `Namespace: ${asked.namespace}\n`
  const text =
    `${prefix(asked.doing)}Error making API request.\n\n${where}` +
    `URL: ${asked.method} ${asked.url}\n${detail}`
  const hint = hintFor(asked, status, errors ?? [])
  return new ApiFailure(status, errors ?? [], { text, ...(hint === undefined ? {} : { hint }) })
}

function prefix(doing: string): string {
  return doing === '' ? '' : `${doing}: `
}

/** The `errors` of a body, or undefined when it is not an error of this API. */
function errorsIn(body: string): string[] | undefined {
  try {
    const parsed = parseJson(body)
    if (!isObject(parsed)) return undefined
    // A wrong path of KV is told by a warning: the one refusal that comes as an envelope.
    const said = parsed['errors'] ?? parsed['warnings']
    return Array.isArray(said) ? said.map(String) : undefined
  } catch {
    return undefined
  }
}

/** Whether a body tells a reason; `{"errors":[]}` only says that nothing is there. */
export function saysWhy(body: string): boolean {
  return (errorsIn(body) ?? []).length > 0
}

function hintFor(
  { program, token }: Asked,
  status: number,
  errors: readonly string[],
): string | undefined {
  const said = errors.join('\n')
  if (status === 403 && !token)
    return `there is no token here: ${program} login, or set VAULT_TOKEN`
  if (status === 503 && /sealed/i.test(said)) return `unseal it first: ${program} operator unseal`
  if (/preflight capability check/.test(said)) {
    return `see what the token may do there: ${program} token capabilities <path>`
  }
  if (status === 403) return `see what the token is and may do: ${program} token lookup`
  if (/path is already in use/.test(said)) return 'choose another path: -path=<path>'
  if (/plugin not found in the catalog/.test(said)) {
    return `see which there are: ${program} plugin list`
  }
  if (status === 504 && /goes on by itself$/m.test(said)) {
    return `see how it stands: ${program} rotate status <path>`
  }
  if (status === 500) return 'the log of the server says why'
  if (status === 429) return 'a quota was reached: wait a little, then try again'
  if (status === 404 && /no handler for route/.test(said)) {
    return `see which mounts there are: ${program} secrets list`
  }
  if (/Invalid path for a versioned K\/V/.test(said)) {
    return `the mount keeps versions: use ${program} kv get, put, list or delete`
  }
  if (status === 400 && /not initialized/i.test(said)) return `run: ${program} operator init`
  return undefined
}

type Problem = { readonly words: string; readonly hint?: string }

/** A request that never got an answer: connection, name or TLS. */
export function unreachable(asked: Asked, address: string, cause: unknown): CliError {
  const { words, hint } = problem(asked.program, address, cause)
  const verb = asked.method.charAt(0) + asked.method.slice(1).toLowerCase()
  return new CliError(`${prefix(asked.doing)}${verb} "${asked.url}": ${words}`, {
    exit: 2,
    cause,
    ...(hint === undefined ? {} : { hint }),
  })
}

/** For a server that nobody answers for. */
export const startHint = (program: string) =>
  `is the server running? start one: ${program} server -dev, or set VAULT_ADDR`

function problem(program: string, address: string, cause: unknown): Problem {
  const code = (cause as NodeJS.ErrnoException).code ?? ''
  const words = messageOf(cause)
  const host = address.replace(/^\w+:\/\//, '')
  if (/WRONG_VERSION|PACKET_LENGTH|HTTP_REQUEST|UNKNOWN_PROTOCOL/.test(code) || code === 'EPROTO') {
    return {
      words: 'http: server gave HTTP response to HTTPS client',
      hint: `the server speaks plain HTTP: export VAULT_ADDR=http://${host}`,
    }
  }
  if (code.startsWith('HPE_') || (code === 'ECONNRESET' && address.startsWith('http:'))) {
    return {
      words: 'the server did not answer in HTTP',
      hint: `if it speaks TLS: export VAULT_ADDR=https://${host}`,
    }
  }
  if (code === 'ECONNREFUSED' || code === 'ENOENT') {
    return {
      words: `dial tcp ${host}: connect: connection refused`,
      hint: startHint(program),
    }
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return { words: `dial tcp: lookup ${host}: no such host`, hint: 'check VAULT_ADDR' }
  }
  if ((cause as Error).name === 'TimeoutError' || code === 'ABORT_ERR') {
    return { words: 'request timed out', hint: 'wait longer with VAULT_CLIENT_TIMEOUT=5m' }
  }
  if (/CERT|SIGNATURE|ISSUER|ALTNAME/.test(code)) {
    const trust = 'trust the authority of the server with -ca-cert=<file> or VAULT_CACERT'
    return { words: `tls: failed to verify certificate: ${words.split(';')[0]}`, hint: trust }
  }
  return { words: words === '' ? code || 'no answer' : words }
}
