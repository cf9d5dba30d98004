/**
 * `-output-curl-string` and `-output-policy`: what would be sent, said in other words. The token
 * is never in it; a shell fills it in when the line is run.
 */

type Request = {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string | undefined
}

export function asCurl(
  program: string,
  request: Request,
  options: { skipVerify: boolean },
): string {
  const parts = ['curl']
  if (options.skipVerify) parts.push('--insecure')
  if (request.method !== 'GET') parts.push(`-X ${request.method}`)
  for (const [name, value] of Object.entries(request.headers)) {
    for (const each of typeof value === 'string' ? [value] : value) {
      if (name === 'X-Vault-Token') parts.push(`-H "X-Vault-Token: $(${program} print token)"`)
      else if (name !== 'content-length') parts.push(`-H ${quoted(`${name}: ${each}`)}`)
    }
  }
  if (request.body !== undefined) parts.push(`-d ${singleQuoted(request.body)}`)
  parts.push(singleQuotedIfNeeded(request.url))
  return parts.join(' ')
}

const CAPABILITIES: Readonly<Record<string, readonly string[]>> = {
  GET: ['read'],
  LIST: ['list'],
  SCAN: ['scan'],
  PUT: ['create', 'update'],
  POST: ['create', 'update'],
  PATCH: ['patch'],
  DELETE: ['delete'],
}
const SUDO =
  /^(sys\/(auth\/|audit|remount$|raw|rotate$|seal$|step-down$|config\/(cors|auditing|ui)|plugins\/catalog\/.|leases\/(lookup|revoke-prefix|revoke-force)\/)|auth\/token\/(accessors|revoke-orphan))/

export function asPolicy(method: string, path: string): string {
  const sudo = SUDO.test(path) ? ['sudo'] : []
  const names = [...(CAPABILITIES[method] ?? []), ...sudo].map((name) => `"${name}"`)
  return `path "${path}" {\n  capabilities = [${names.join(', ')}]\n}`
}

/** Double quotes as a POSIX shell reads them: only these four characters are special inside. */
function quoted(text: string): string {
  return `"${text.replace(/[\\"$`]/g, '\\$&')}"`
}

function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`
}

function singleQuotedIfNeeded(text: string): string {
  return /^[\w:/.,@%+=-]+$/.test(text) ? text : singleQuoted(text)
}
