/** What a client brings as second factors: by method (id or name), the passcodes for it. */
import { Failure, refuse } from '../../kit/failure.ts'

export type Credentials = ReadonlyMap<string, readonly string[]>

const HEADER = 'x-vault-mfa'
const HEADERS_MAX = 16
const CHARS_MAX = 1024

/**
 * Of a login's headers: `X-Vault-MFA: method[:passcode]`, as often as there are methods. Undefined
 * when there is none; 400 for one that is not understood.
 */
export function credentialsOfHeaders(raw: readonly string[]): Credentials | undefined {
  const found = new Map<string, string[]>()
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== HEADER) continue
    const value = raw[i + 1]!.trim()
    const at = value.indexOf(':')
    const method = (at < 0 ? value : value.slice(0, at)).trim()
    if (method === '') throw badHeader('missing method name or ID')
    if (value.length > CHARS_MAX || found.size >= HEADERS_MAX) throw badHeader('too long')
    const passcodes = found.get(method) ?? []
    found.set(method, passcodes)
    if (at >= 0) passcodes.push(passcodeOf(value.slice(at + 1), badHeader))
  }
  return found.size > 0 ? found : undefined
}

const badHeader = (why: string) =>
  new Failure('bad_request', `failed to parse X-Vault-MFA header: ${why}`)

/** Of `{method: [passcode…]}` in a body. */
export function credentialsOfPayload(payload: Readonly<Record<string, unknown>>): Credentials {
  const bad = (why: string) => new Failure('bad_request', `invalid mfa_payload: ${why}`)
  const found = new Map<string, string[]>()
  for (const [method, given] of Object.entries(payload)) {
    const items: unknown[] = Array.isArray(given) ? given : given === null ? [] : [given]
    found.set(
      method,
      items.map((item) =>
        typeof item === 'string' && item.length <= CHARS_MAX
          ? passcodeOf(item, bad)
          : refuse('invalid mfa_payload: expected lists of passcodes'),
      ),
    )
  }
  return found
}

/** `passcode=123456`, or the code alone. */
function passcodeOf(text: string, bad: (why: string) => Failure): string {
  const at = text.indexOf('=')
  if (at < 0) return text
  if (text.slice(0, at).trim() !== 'passcode') throw bad('only a passcode is expected')
  return text.slice(at + 1)
}
