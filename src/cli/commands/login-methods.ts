/** How each auth method is asked for a token: its words on the command line, and its request. */
import { readFileSync } from 'node:fs'
import { CliError, messageOf } from '../cli-error.ts'

export type Words = Record<string, string>
export type LoginRequest = { readonly path: string } & (
  | { readonly body: Words }
  | { readonly method: 'GET'; readonly query: Words }
)

export type LoginTools = {
  /** Asks on the terminal, unseen. */
  ask(what: string): Promise<string>
  /** The page of a provider, as the server names it; empty when it does not. */
  authUrl(path: string, body: Words): Promise<string>
  /** Says something to the person, not to a pipe. */
  show(text: string): void
}

export type LoginMethod = {
  readonly usage: string
  readonly help: string
  request(words: Words, mount: string, tools: LoginTools): Promise<LoginRequest> | LoginRequest
}

const KUBERNETES_JWT = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** A user name in the path and a password in the body, which is asked for when it is not given. */
function withPassword(what: string): LoginMethod {
  return {
    usage: 'username=<name> [password=<password>]',
    help: `Logs in with a user name and a password${what}. The password is asked for unless it is given.`,
    async request(words, mount, tools) {
      const username = needed(words, 'username')
      const password = words['password'] ?? (await tools.ask('Password'))
      if (password === '') throw new CliError("'password' must be specified")
      return {
        path: `auth/${mount}/login/${username}`,
        body: { ...rest(words, 'username'), password },
      }
    },
  }
}

/** Everything in the body. */
function withBody(usage: string, help: string, names: readonly string[]): LoginMethod {
  return {
    usage,
    help,
    request(words, mount) {
      for (const name of names) needed(words, name)
      return { path: `auth/${mount}/login`, body: words }
    },
  }
}

/** By type. `token` is not here: it asks nobody for a token, it has one. */
export const METHODS: Readonly<Record<string, LoginMethod | undefined>> = {
  userpass: withPassword(''),
  ldap: withPassword(' of an LDAP directory'),
  radius: withPassword(' of a RADIUS server'),
  okta: withPassword(' of Okta'),
  approle: {
    usage: 'role_id=<id> [secret_id=<id>]',
    help: 'Logs in as an application, with its role and a secret ID, which is asked for unless given.',
    async request(words, mount, tools) {
      const role_id = needed(words, 'role_id')
      const secret_id = words['secret_id'] ?? (await tools.ask('Secret ID'))
      return { path: `auth/${mount}/login`, body: { ...words, role_id, secret_id } }
    },
  },
  jwt: withBody('role=<name> jwt=<token>', 'Logs in with a JSON web token.', ['jwt']),
  github: withBody('token=<token>', 'Logs in with a personal token of GitHub.', ['token']),
  cert: withBody(
    '[name=<role>]',
    'Logs in with the certificate of -client-cert and -client-key.',
    [],
  ),
  kubernetes: {
    usage: 'role=<name> [jwt=<token>]',
    help: `Logs in as the service account of a pod. The token is read from ${KUBERNETES_JWT} unless given.`,
    request(words, mount) {
      const role = needed(words, 'role')
      const jwt = words['jwt'] ?? readJwt()
      return { path: `auth/${mount}/login`, body: { ...words, role, jwt } }
    },
  },
}

function needed(words: Words, name: string): string {
  const value = words[name]
  if (value !== undefined && value !== '') return value
  throw new CliError(`'${name}' must be specified`, { hint: `add ${name}=… to the command` })
}

function rest(words: Words, ...without: readonly string[]): Words {
  return Object.fromEntries(Object.entries(words).filter(([key]) => !without.includes(key)))
}

function readJwt(): string {
  try {
    return readFileSync(KUBERNETES_JWT, 'utf8').trim()
  } catch (cause) {
    throw new CliError(`cannot read the token of the pod: ${messageOf(cause)}`, { cause })
  }
}
