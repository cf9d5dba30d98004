/** Headers on every answer of a listener, by status: the most specific setting of a name wins. */
import { type ResponseHeaders } from './config-headers.ts'

/** Flat name, value, name, value …, as writeHead takes them; computed once per status. */
export type HeadersOf = (status: number) => readonly string[]

export function responseHeaders(custom: ResponseHeaders | undefined, secure: boolean): HeadersOf {
  const known = new Map<number, readonly string[]>()
  return (status) => {
    let headers = known.get(status)
    if (!headers) known.set(status, (headers = made(status)))
    return headers
  }

  function made(status: number): string[] {
    const merged = new Map<string, [name: string, values: readonly string[]]>()
    if (secure) {
      const value = 'max-age=31536000; includeSubDomains'
      merged.set('strict-transport-security', ['Strict-Transport-Security', [value]])
    }
    for (const key of ['default', `${String(status)[0]}xx`, String(status)]) {
      for (const [name, values] of Object.entries(custom?.[key] ?? {})) {
        merged.set(name.toLowerCase(), [name, values])
      }
    }
    const flat = ['Cache-Control', 'no-store']
    for (const [name, values] of merged.values()) {
      for (const value of values) flat.push(name, value)
    }
    return flat
  }
}
