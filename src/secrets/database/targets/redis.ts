/**
 * Redis, and Valkey, which speaks the same. Users are its ACL users; they outlive a restart only when
 * the server keeps them in a file, so each change is followed by a save.
 */
import type * as Redis from 'redis'
import { Failure } from '../../../kit/kit.ts'
import { isTellable, StatementError } from '../statements.ts'
import {
  type Address,
  addressOf,
  CONNECT_MS,
  flagOf,
  IDLE_MS,
  type Login,
  type Opening,
  portOf,
  probing,
  STATEMENT_MS,
  type Target,
  TargetError,
  textOf,
  withoutValues,
} from '../target.ts'
import { redisVerifier } from '../verifiers.ts'
import { givenTls, identityOf, unreachable } from './tls.ts'

type Command = (...words: string[]) => Promise<unknown>

export type RedisTarget = Target & {
  command: Command
  /**
   * Writes the users where they outlive a restart. False when this server has no such place: then
   * what was changed is lost with it.
   */
  persist(): Promise<boolean>
}

/**
 * The driver builds a class for each set of options and remembers the last set, its password too: the
 * one that is never connected has none, and the others are made after it.
 */
const newModel = (redis: Pick<typeof Redis, 'createClient'>) => redis.createClient({ RESP: 2 })
let model: ReturnType<typeof newModel> | undefined

const PORT = 6379
const RULES = ['~*', '+@read']

export async function openRedis(opening: Opening): Promise<RedisTarget> {
  const { details } = opening
  const at = placeOf(details)
  const tls = tlsOf(details)
  const redis = await import('redis')
  const label = `redis (${at.host}:${at.port})`
  const told = (error: unknown, ...secrets: (string | undefined)[]) =>
    targetError(error, { label, secure: 'tls' in tls }, [opening.login.password, ...secrets])
  const optionsFor = (as: Login, address: Address = at) => ({
    ...(as.username !== '' && { username: as.username }),
    ...(as.password !== '' && { password: as.password }),
    socket: {
      ...address,
      ...tls,
      connectTimeout: CONNECT_MS,
      reconnectStrategy: false as const,
    },
    commandOptions: { timeout: STATEMENT_MS },
    disableOfflineQueue: true,
    // What the driver would tell of itself wants a permission that a user need not have.
    disableClientInfo: true,
  })

  async function connected(as: Login, address?: Address) {
    model ??= newModel(redis)
    const client = model.duplicate(optionsFor(as, address))
    client.on('error', () => {})
    // The driver's own limit ends when the line stands; a server may be silent from then on.
    let late = false
    const limit = setTimeout(() => {
      late = true
      client.destroy()
    }, CONNECT_MS)
    try {
      await client.connect()
      return client
    } catch (error) {
      throw late ? new Error('Connection timeout') : error
    } finally {
      clearTimeout(limit)
    }
  }
  type Client = Awaited<ReturnType<typeof connected>>
  let client: Promise<Client> | undefined
  let idle: NodeJS.Timeout | undefined
  const letGo = async () => {
    const open = client
    client = undefined
    clearTimeout(idle)
    ;(await open?.catch(() => undefined))?.destroy()
  }

  async function command(secrets: (string | undefined)[], words: string[]): Promise<unknown> {
    clearTimeout(idle)
    try {
      const own = await client?.catch(() => undefined)
      if (!own?.isReady) client = connected(opening.login)
      return await (await client!).sendCommand(words)
    } catch (error) {
      // A refusal leaves a good connection; anything else does not.
      const trouble = told(error, ...secrets)
      if (!(trouble instanceof TargetError) || trouble.outcome === 'unreachable') await letGo()
      throw trouble
    } finally {
      idle = setTimeout(() => void letGo(), IDLE_MS)
      idle.unref()
    }
  }
  const say: Command = (...words) => command([], words)

  async function persist(): Promise<boolean> {
    const wanted = textOf(details, 'persistence_mode').toUpperCase()
    for (const words of [
      ['ACL', 'SAVE'],
      ['CONFIG', 'REWRITE'],
    ]) {
      if (wanted === 'REWRITE' && words[0] === 'ACL') continue
      if (wanted === 'ACLFILE' && words[0] === 'CONFIG') continue
      try {
        await say(...words)
        return true
      } catch (error) {
        if (!(error instanceof TargetError) || error.outcome !== 'refused') throw error
      }
    }
    return false
  }

  return {
    label,
    command: say,
    persist,
    async check() {
      await say('PING')
    },
    async create({ username, password = '', statements }) {
      const rules = rulesOf(statements)
      const words = ['ACL', 'SETUSER', checkedName(username), 'reset', 'on']
      await command([password], [...words, ...rules, `#${redisVerifier(password)}`])
      await persist()
    },
    // Users of Redis have no end of their own.
    renew: () => Promise.resolve(),
    async drop({ username }) {
      await say('ACL', 'DELUSER', checkedName(username))
      await persist()
    },
    async setPassword({ username, password }) {
      await existing(say, username)
      const verifier = `#${redisVerifier(password)}`
      await command([password], ['ACL', 'SETUSER', checkedName(username), 'resetpass', verifier])
      await persist()
    },
    probe: (as, address) =>
      probing(async () => {
        let own: Client | undefined
        try {
          own = await connected(as, address)
        } catch (error) {
          throw told(error, as.password)
        } finally {
          own?.destroy()
        }
      }),
    close: letGo,
  }
}

/** Throws when there is no such user: ACL SETUSER would make one. */
export async function existing(say: Command, username: string): Promise<void> {
  const found = await say('ACL', 'GETUSER', checkedName(username))
  if (found === null) throw new TargetError(`there is no user "${username}"`, 'refused', 'NOUSER')
}

/** Redis cuts names at nothing but reads them from a file by spaces. */
function checkedName(name: string): string {
  if (/^[^\s\0]{1,256}$/.test(name) && isTellable(name)) return name
  throw new StatementError('a Redis name has 1 to 256 characters, and no spaces')
}

function rulesOf(statements: readonly string[]): string[] {
  if (statements.length === 0) return RULES
  const rules = statements.flatMap((text) => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw new StatementError('creation statements of Redis are a JSON list of ACL rules')
    }
  })
  const whole = rules.every((rule) => typeof rule === 'string' && /^[~&+\-%@(a-z]/i.test(rule))
  if (whole) return rules as string[]
  throw new StatementError('creation statements of Redis are rules such as "~*" and "+@read"')
}

function placeOf(details: Opening['details']): Address {
  const url = textOf(details, 'connection_url')
  const host = textOf(details, 'host')
  const port = portOf(textOf(details, 'port'), PORT)
  const at =
    url === ''
      ? addressOf(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host, port)
      : addressOf(
          url
            .replace(/^(?:redis|valkey)s?:\/\//, '')
            .replace(/^.*@/, '')
            .replace(/\/.*$/, ''),
          port,
        )
  return at ?? refuse()
}
function refuse(): never {
  throw new Failure('bad_request', 'host cannot be empty')
}

function tlsOf(details: Opening['details']) {
  const given = givenTls(details)
  const { serverName: _, ...own } = given
  const secure =
    flagOf(details, 'tls') || /^(?:redis|valkey)s:/.test(textOf(details, 'connection_url'))
  if (!secure && own.ca !== undefined && details['tls'] === undefined) {
    throw new Failure('bad_request', 'ca_cert needs tls=true: without it nothing is encrypted')
  }
  if (!secure) return {}
  return {
    ...own,
    ...identityOf(given),
    tls: true as const,
    rejectUnauthorized: !flagOf(details, 'insecure_tls'),
  }
}

/** Codes of refusals that must not be taken for a server that is away. */
const AWAY = /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)/

function targetError(
  error: unknown,
  { label, secure }: { label: string; secure: boolean },
  secrets: (string | undefined)[],
): Error {
  if (error instanceof TargetError || error instanceof StatementError) return error
  const { name, message = '', code } = error as { name?: string; message?: string; code?: string }
  const word = /^[A-Z]{3,}\b/.exec(message)?.[0]
  if (word === undefined || code !== undefined) {
    const why = typeof code === 'string' ? code : name === 'Error' ? '' : name
    const away = unreachable(label, error, why)
    // What a port for TLS does to whoever speaks without.
    const cut = why === 'ECONNRESET' || why === 'SocketClosedUnexpectedlyError'
    if (!cut || secure) return away
    return new TargetError(`${away.message}: if the port is for TLS, set tls=true`, 'unreachable')
  }
  const text = `${label}: ${withoutValues(message, secrets)}`
  return new TargetError(text, AWAY.test(word) ? 'unreachable' : 'refused', word)
}
