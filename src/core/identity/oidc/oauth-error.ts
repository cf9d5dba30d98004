/** An error as OAuth 2.0 tells it (RFC 6749, sections 4.1.2.1 and 5.2; RFC 6750, section 3.1). */

/** Constant words only: nothing a request has brought stands in a description. */
export class OauthError extends Error {
  override readonly name = 'OauthError'
  readonly code: string

  constructor(code: string, description: string) {
    super(description)
    this.code = code
  }

  get body(): { error: string; error_description: string } {
    return { error: this.code, error_description: this.message }
  }
}
