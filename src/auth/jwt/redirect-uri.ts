/**
 * Where a provider may send a browser back to: one of the addresses of the role, character by
 * character; only the port of a program on the same machine is free (RFC 8252, section 7.3).
 */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

export function isAllowedRedirect(uri: string, allowed: readonly string[]): boolean {
  if (allowed.includes(uri)) return true
  const given = loopback(uri)
  return given !== undefined && allowed.some((one) => loopback(one) === given)
}

/** The address without its port; undefined unless it is plainly that of a program here. */
function loopback(uri: string): string | undefined {
  const url = URL.parse(uri)
  if (url?.protocol !== 'http:' || !LOOPBACK.has(url.hostname)) return undefined
  if (url.username !== '' || url.password !== '' || url.hash !== '') return undefined
  return `${url.hostname}${url.pathname}${url.search}`
}
