/**
 * Every way a request can fail, in one table. The code is for programs and never changes; the text
 * is for people and may. `docs/reference/errors.md` is generated from here.
 */
export const FAILURES = {
  bad_request: { status: 400, text: 'invalid request' },
  permission_denied: { status: 403, text: 'permission denied' },
  not_found: { status: 404, text: '' },
  unsupported_path: { status: 404, text: 'unsupported path' },
  unsupported_operation: { status: 405, text: 'unsupported operation' },
  held: { status: 409, text: 'the credential is still held' },
  precondition_failed: { status: 412, text: 'precondition failed' },
  too_large: { status: 413, text: 'http: request body too large' },
  unsupported_media_type: { status: 415, text: 'unsupported media type' },
  too_many_requests: { status: 429, text: 'too many requests' },
  internal: { status: 500, text: 'internal error' },
  audit_failed: { status: 500, text: 'internal error' },
  storage_failed: { status: 500, text: 'internal error' },
  conflict: { status: 503, text: 'changed too often while it was read; try again' },
  sealed: { status: 503, text: 'Vault is sealed' },
  namespace_locked: { status: 503, text: 'API access to this namespace has been locked' },
  overloaded: { status: 503, text: 'too many requests in flight; try again' },
  timed_out: { status: 504, text: 'not done in the time that was given; it goes on' },
} as const satisfies Record<string, { status: number; text: string }>

export type FailureCode = keyof typeof FAILURES

/**
 * A failure the caller is meant to see. Its message must never carry a secret value. `wrapped` asks
 * for Go's multi-error form around the text, which some clients match on.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: FailureCode
  readonly status: number
  readonly wrapped: boolean
  /** False = a failed login that tells of no guess, and does not count towards a lockout. */
  readonly guessed: boolean

  constructor(
    code: FailureCode,
    detail?: string,
    options?: ErrorOptions & { wrapped?: boolean; guessed?: boolean },
  ) {
    super(detail ?? FAILURES[code].text, options)
    this.code = code
    this.status = FAILURES[code].status
    this.wrapped = options?.wrapped ?? false
    this.guessed = options?.guessed ?? true
  }
}

/** 400 with this text: what an engine says when the request makes no sense. */
export function refuse(detail: string): never {
  throw new Failure('bad_request', detail)
}
