/** The agent's ways to log in, as the client's: what they need is read from files at each login. */
import { readFile, rm } from 'node:fs/promises'
import { appRole, type Auth, logIn, type Login, token } from '../client/auth.ts'
import { InvalidRequestError } from '../client/errors.ts'
import { type MethodConfig } from './config-method.ts'

/** `told` hears of every login, before anyone uses the token. */
export function agentAuth(method: MethodConfig, told: (login: Login) => void): Auth {
  const auth = authOf(method)
  return {
    ...auth,
    async login(send, options) {
      const login = await auth.login(send, options)
      told(login)
      return login
    },
  }
}

function authOf(method: MethodConfig): Auth {
  switch (method.type) {
    case 'approle':
      return appRoleOf(method)
    case 'token_file':
      return token(() => read(method.tokenFile))
    case 'kubernetes':
      return posting(method, async () => ({
        role: method.role,
        jwt: (await read(method.tokenFile)).trim(),
      }))
    case 'cert':
      return posting(method, async () => (method.name === undefined ? {} : { name: method.name }))
    default:
      return method satisfies never
  }
}

function appRoleOf(method: MethodConfig & { type: 'approle' }): Auth {
  const { roleIdFile, secretIdFile, removesSecretId, wrapped, mount } = method
  const roleId = () => read(roleIdFile)
  if (secretIdFile === undefined) return appRole({ roleId, mount })
  // The file may be there for one reading only; what was read is kept for the next login.
  let kept: string | undefined
  const secretId = async () => {
    try {
      kept = await read(secretIdFile)
    } catch (error) {
      if (kept === undefined) throw error
      return kept
    }
    if (removesSecretId) await rm(secretIdFile, { force: true })
    return kept
  }
  return appRole({ roleId, mount, ...(wrapped ? { wrappedSecretId: secretId } : { secretId }) })
}

function posting({ type, mount }: MethodConfig, body: () => Promise<object>): Auth {
  return {
    kind: type,
    repeatable: true,
    async login(send, options) {
      return logIn(send, { ...options, path: `auth/${mount}/login`, body: await body() })
    },
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new InvalidRequestError({ hint: `cannot read ${path} (${code ?? 'unknown'})`, cause })
  }
}
