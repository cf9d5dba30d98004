/** `login`: gets a token by an auth method, and keeps it where later commands look for it. */
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { type JsonObject } from '../../lib/json.ts'
import { CliError, messageOf } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { type Api, asSecret, connect, type Secret } from '../http/api.ts'
import { nearest } from '../../lib/nearest.ts'
import { showField, showSecret, fieldOf } from '../output/secret.ts'
import { wrap } from '../output/table.ts'
import { readTextPairs } from '../pairs.ts'
import { trimSlashes } from '../paths.ts'
import { askHidden } from '../prompt.ts'
import { lookup, tokenFile } from '../settings.ts'
import { type LoginTools, METHODS } from './login-methods.ts'

const DOING = 'Error authenticating'

export const command = defineCommand({
  path: ['login'],
  summary: 'Logs in and keeps the token for later commands',
  help:
    'Asks the server for a token and keeps it in ~/.vault-token, readable by you alone. Without ' +
    '-method the token itself is asked for, checked and kept.',
  examples: [
    { does: 'With a token, typed unseen', line: 'coffer login' },
    { does: 'With a password, typed unseen', line: 'coffer login -method=userpass username=ana' },
    {
      does: 'As an application, for one command',
      line: 'coffer login -method=approle -token-only role_id=@role secret_id=@secret',
    },
  ],
  args: [
    {
      name: 'key=value',
      help: 'What the method needs; see auth help.',
      optional: true,
      many: true,
    },
  ],
  flags: {
    method: flag.string('Type of the auth method.', { default: 'token' }),
    path: flag.string('Where the method is mounted. Default: its type.'),
    'no-store': flag.bool('Do not keep the token.'),
    'no-print': flag.bool('Do not print the token.'),
    'token-only': flag.bool('Print the token and nothing else; do not keep it.'),
  },
  async run(at) {
    const tokenOnly = at.flags['token-only']
    const store = !(at.flags['no-store'] || tokenOnly)
    if (!store && at.flags['no-print']) {
      throw new CliError('-no-store and -no-print cannot be used together')
    }
    const got = await logIn(at, store)
    if (got.auth === null) return showWrapped(at, got, tokenOnly)
    if (store) keep(at, String(got.auth['client_token']))
    else if (!tokenOnly) {
      at.out.warn(
        wrap(
          'The token was not stored. Set VAULT_TOKEN, or pass the token below with each request.',
        ) + '\n',
      )
    }
    if (at.flags['no-print']) return
    const field = tokenOnly ? 'token' : at.settings.field
    if (field !== undefined) return showField(at, fieldOf(got, field), field)
    if (at.out.tabular && store) {
      at.out.line(
        wrap(
          'Success! You are now authenticated. The token information displayed below is already ' +
            `stored in the token helper. You do NOT need to run "${at.program} login" again. ` +
            'Future requests will automatically use this token.',
        ) + '\n',
      )
    }
    showSecret(at, got)
  },
})

type At = Pick<Context, 'api' | 'args' | 'io' | 'out' | 'program' | 'settings'> & {
  readonly flags: { readonly method: string; readonly path: string | undefined }
}

/** The answer with a token; or with a wrapping token, where that was asked for and is to be shown. */
async function logIn(at: At, unwrap: boolean): Promise<Secret> {
  const type = trimSlashes(at.flags.method) || 'token'
  if (type === 'token') return byToken(at)
  const method = type === 'oidc' ? (await import('./login-oidc.ts')).oidc : METHODS[type]
  if (method === undefined) {
    const close = nearest(type, [...Object.keys(METHODS), 'oidc'])
    throw new CliError(`Unknown auth method: ${type}`, {
      hint:
        close === undefined
          ? `some methods can only be used through the API; see: ${at.program} auth list`
          : `did you mean -method=${close}?`,
    })
  }
  const words = await wordsOf(at, at.args)
  const { mount: given, ...own } = words
  const mount = trimSlashes(at.flags.path ?? given ?? type)
  const request = await method.request(own, mount, toolsOf(at))
  // An old token must not travel along: it may be from another kind of server.
  const common = { method: 'PUT', doing: DOING, token: '' } as const
  const secret = await at.api.secret({ ...common, ...request })
  if (secret === undefined) throw new CliError('Vault returned an empty secret', { exit: 2 })
  if (secret.auth !== null || secret.wrapInfo === null || !unwrap) return secret
  return open(plainApi(at), String(secret.wrapInfo['token']))
}

function toolsOf(at: At): LoginTools {
  return {
    ask: (what) => askHidden(at, what),
    show: (text) => at.out.warn(text),
    async authUrl(path, body) {
      const ask = { method: 'PUT', path, body, doing: DOING, token: '', aside: true } as const
      const url = (await at.api.secret(ask))?.data?.['auth_url']
      return typeof url === 'string' ? url : ''
    },
  }
}

/** The same server, without asking it to wrap its answer again. */
function plainApi(at: At): Api {
  return connect(at.program, { ...at.settings, wrapTtl: undefined })
}

async function open(api: Api, token: string): Promise<Secret> {
  const path = 'sys/wrapping/unwrap'
  const secret = await api.secret({ method: 'PUT', path, doing: 'Error extracting token', token })
  if (secret?.auth === null || secret === undefined) {
    throw new CliError('Error extracting token: the wrapped answer holds no token', { exit: 2 })
  }
  return secret
}

async function byToken(at: At): Promise<Secret> {
  const [first, ...more] = at.args
  const bare = first !== undefined && first !== '-' && !first.includes('=')
  const words = bare ? { ...(await wordsOf(at, more)), token: first } : await tokenWords(at)
  const token = words.token?.trim() ?? ''
  if (token === '') throw new CliError("a token must be passed to auth, please use 'login <token>'")
  if (/[^!-~]/.test(token)) throw new CliError('the token contains a non-printable character')
  if (words['lookup'] === 'false') return asSecret({ auth: { client_token: token } })
  const path = 'auth/token/lookup-self'
  const doing = `${DOING}: error looking up token`
  const data = (await plainApi(at).secret({ method: 'GET', path, doing, token }))?.data ?? {}
  return asSecret({
    request_id: '',
    lease_id: '',
    lease_duration: 0,
    renewable: false,
    data: null,
    warnings: null,
    auth: authOf(data, token),
  })
}

async function tokenWords(at: At): Promise<{ token?: string; [key: string]: string | undefined }> {
  if (at.args.length === 0) return { token: await askHidden(at, 'Token') }
  if (at.args[0] === '-') {
    const { token } = await wordsOf(at, ['token=-'])
    return token === undefined ? {} : { token }
  }
  return wordsOf(at, at.args)
}

function wordsOf(at: At, words: readonly string[]): Promise<Record<string, string>> {
  return readTextPairs(words, { io: at.io, interactive: at.settings.interactive })
}

/** A looked-up token in the shape of one that was just given. */
function authOf(data: JsonObject, token: string): JsonObject {
  return {
    client_token: token,
    accessor: data['accessor'] ?? '',
    policies: data['policies'] ?? [],
    token_policies: data['policies'] ?? [],
    identity_policies: data['identity_policies'] ?? [],
    metadata: data['meta'] ?? null,
    orphan: data['orphan'] ?? false,
    entity_id: data['entity_id'] ?? '',
    lease_duration: data['ttl'] ?? 0,
    renewable: data['renewable'] ?? false,
    mfa_requirement: null,
  }
}

function showWrapped(at: Pick<Context, 'out' | 'settings'>, got: Secret, tokenOnly: boolean): void {
  if (tokenOnly) return showField(at, got.wrapInfo?.['token'], 'wrapping_token')
  showSecret(at, got)
}

/** Writes beside and renames, so that a reader never sees half a token and never a wide mode. */
function keep(at: Pick<Context, 'io' | 'out' | 'program'>, token: string): void {
  const file = tokenFile(at.io.home)
  const beside = `${file}.${process.pid}`
  try {
    writeFileSync(beside, token, { mode: 0o600, flag: 'wx' })
    chmodSync(beside, 0o600)
    renameSync(beside, file)
  } catch (cause) {
    throw new CliError(`Error storing token: ${messageOf(cause)}`, {
      cause,
      hint: 'the log-in was good; -no-store prints the token instead of keeping it',
    })
  }
  if (lookup(at.io.env, at.program)('TOKEN') === undefined) return
  at.out.warn(
    wrap(
      'WARNING! The VAULT_TOKEN environment variable is set! The value of this variable will take ' +
        'precedence; if this is unwanted please unset VAULT_TOKEN or update its value accordingly.',
    ) + '\n',
  )
}
