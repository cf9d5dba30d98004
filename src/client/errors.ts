/**
 * Every way a call can fail, one class each, with a constant `code`. A message names the method, the
 * path, the status and what the server said; never a value, a token or a body.
 */

/** What was asked, as far as it may be told. `status` is absent when there was no answer. */
export type ErrorFacts = {
  method?: string
  path?: string
  status?: number
  /** The server's own texts, cleaned of everything secret that was sent. */
  errors?: readonly string[]
  /** What is known beside the server's texts. */
  hint?: string
  cause?: unknown
}

export abstract class CofferError extends Error {
  abstract readonly code: string
  readonly method: string | undefined
  readonly path: string | undefined
  readonly status: number | undefined
  readonly errors: readonly string[]

  constructor(facts: ErrorFacts) {
    super(message(facts), facts.cause === undefined ? undefined : { cause: facts.cause })
    this.method = facts.method
    this.path = facts.path
    this.status = facts.status
    this.errors = facts.errors ?? []
  }
}

/** 403: the token may not do this, or is not valid (any more). */
export class DeniedError extends CofferError {
  override readonly name = 'DeniedError'
  readonly code = 'denied'
}

/** 404: no such path, secret or version; a deleted version counts as missing. */
export class MissingError extends CofferError {
  override readonly name = 'MissingError'
  readonly code = 'missing'
}

/** 503 from a server that is up but sealed: someone has to unseal it. */
export class SealedError extends CofferError {
  override readonly name = 'SealedError'
  readonly code = 'sealed'
}

/** The server answered that it cannot: any other 5xx, or an answer that is not its own. */
export class UnavailableError extends CofferError {
  override readonly name = 'UnavailableError'
  readonly code = 'unavailable'
}

/** No answer: not reached, connection lost, or TLS refused. `cause` is the system's error. */
export class NetworkError extends CofferError {
  override readonly name = 'NetworkError'
  readonly code = 'network'
}

/** The check-and-set version was not the current one: someone else wrote in between. */
export class ConflictError extends CofferError {
  override readonly name = 'ConflictError'
  readonly code = 'conflict'
}

/** 429: too many requests, also after waiting as the server asked. */
export class RateLimitedError extends CofferError {
  override readonly name = 'RateLimitedError'
  readonly code = 'rate_limited'
}

/** 400 and its kin: the request is wrong and would be wrong again. */
export class InvalidRequestError extends CofferError {
  override readonly name = 'InvalidRequestError'
  readonly code = 'invalid_request'
}

/** The client was closed before or during the call. */
export class ClosedError extends CofferError {
  override readonly name = 'ClosedError'
  readonly code = 'closed'

  constructor() {
    super({ hint: 'the client is closed' })
  }
}

/** One reference that could not be resolved. */
export type ConfigProblem = {
  /** Where in the config: `db.replicas[1].password`. */
  at: string
  reference: string
  reason: string
  /** The error behind it, when a request failed. */
  error?: unknown
}

/** Every reference of a config that could not be resolved, together. */
export class ConfigError extends CofferError {
  override readonly name = 'ConfigError'
  readonly code = 'config'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], cause?: unknown) {
    const lines = problems.map((p) => `${p.at ? `${p.at}: ` : ''}${p.reference}: ${p.reason}`)
    const hint =
      lines.length === 1
        ? lines.join()
        : `${lines.length} references were not resolved:\n  ${lines.join('\n  ')}`
    super({ hint, cause })
    this.problems = problems
  }
}

function message({ method, path, status, errors = [], hint }: ErrorFacts): string {
  const request = [method, path].filter((part) => part !== undefined).join(' ')
  // Go prints several errors as a list over lines; a log line wants them on one.
  const said = errors.map((text) => text.replace(/\s+/g, ' ').trim()).join('; ')
  const about = [status, said].filter((part) => part !== undefined && part !== '').join(' ')
  return [request, about, hint].filter((part) => part).join(': ')
}

const MISMATCH = 'check-and-set parameter did not match'

/**
 * The error for an answer that is not a success. The protocol tells two kinds apart by text only:
 * by `said`, the texts as they came, since cleaning may have cut into the words to look for.
 */
export function errorFor(
  facts: ErrorFacts & { status: number },
  said: readonly string[] = facts.errors ?? [],
): CofferError {
  const says = (text: string) => said.some((error) => error.includes(text))
  const { status } = facts
  if (status === 403) return new DeniedError(facts)
  if (status === 404) return new MissingError(facts)
  if (status === 429) return new RateLimitedError(facts)
  if (status === 409 || (status === 400 && says(MISMATCH))) return new ConflictError(facts)
  if (status === 503 && says('is sealed')) return new SealedError(facts)
  if (status >= 500) return new UnavailableError(facts)
  return new InvalidRequestError(facts)
}

/** What only a policy says: a list of exactly one refusal, or the refusal of the mount question. */
const BY_POLICY = /^(1 error occurred:\s*\* permission denied\s*$|preflight capability check)/

/** Whether a 403 may speak of the token and not of the path. A bad token's refusal has many forms. */
export function mayBeBadToken(error: unknown): error is DeniedError {
  return error instanceof DeniedError && !error.errors.some((text) => BY_POLICY.test(text))
}

/** Errors a later try may not meet: the server is away, sealed, busy or the line was cut. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof SealedError ||
    error instanceof UnavailableError ||
    error instanceof NetworkError ||
    error instanceof RateLimitedError ||
    (error instanceof Error && error.name === 'TimeoutError')
  )
}
