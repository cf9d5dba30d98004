/** Where a person may be sent back to with a code. */

/**
 * One of those the client has registered, character by character. A loopback's port is free: an app
 * on somebody's own machine takes whichever it gets (RFC 8252, section 7.3).
 */
export function isRegistered(uri: string, registered: readonly string[]): boolean {
  if (registered.includes(uri)) return true
  const portless = withoutPort(uri)
  return portless !== undefined && registered.some((other) => withoutPort(other) === portless)
}

const LOOPBACK = /^(https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\]))(?::\d{1,5})?((?:[/?].*)?)$/

/** A loopback address without its port; undefined for any other. */
function withoutPort(uri: string): string | undefined {
  const [, origin, rest] = LOOPBACK.exec(uri) ?? []
  return origin === undefined ? undefined : `${origin} ${rest}`
}
