/**
 * One conversation with a directory: a connection that is made once, used and ended. It never comes
 * back by itself: what was said under TLS or as somebody must not go on in clear or as nobody.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import type * as Ldap from 'ldapts'
import type { Client, Entry } from 'ldapts'
import { Failure } from '../../kit/kit.ts'
import { type Config, TLS_VERSIONS, urlsOf } from './config.ts'

export type Found = { readonly dn: string; values(attribute: string): Buffer[] }

export type Search = {
  readonly base: string
  readonly filter: string
  readonly attributes: readonly string[]
  readonly scope?: 'base' | 'sub'
  readonly limit?: number
}

export type Directory = AsyncDisposable & {
  /** False when the directory says no to the name or the password. */
  bind(dn: string, password: string): Promise<boolean>
  /** Undefined when there is nothing at the base, or it may not be seen. */
  search(search: Search): Promise<Found[] | undefined>
}

const GROUPS_MAX = 10_000

/** The directory could not be asked. The text names no one. */
const trouble = (cause: unknown) =>
  new Failure('internal', 'ldap operation failed: the directory cannot be reached', { cause })

/** A connection to the first of the servers that answers. Throws a Failure (500) when none does. */
export async function openDirectory(config: Config): Promise<Directory> {
  const ldap = await import('ldapts')
  let last: unknown
  for (const url of urlsOf(config)) {
    let socket: Socket | undefined
    try {
      socket = await openSocket(config, url)
      const client = new ldap.Client(clientOptions(config, url, socket))
      if (config.starttls && url.protocol === 'ldap:') {
        await inTime(client.startTLS(tlsOptions(config, url)), config.connection_timeout)
      }
      return directory(config, { client, socket, ldap })
    } catch (error) {
      last = error
      socket?.destroy()
    }
  }
  throw trouble(last)
}

type Open = { client: Client; socket: Socket; ldap: typeof Ldap }

function directory(config: Config, { client, socket, ldap }: Open): Directory {
  const ask = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await inTime(work, config.connection_timeout + config.request_timeout)
    } catch (error) {
      if (isRefusal(error)) throw error
      socket.destroy()
      throw trouble(error)
    }
  }
  const isRefusal = (error: unknown) =>
    error instanceof ldap.ResultCodeError &&
    !(error instanceof ldap.BusyError || error instanceof ldap.UnavailableError)
  return {
    async bind(dn, password) {
      // Without a password a bind is a success for anybody (RFC 4513, section 5.1.2).
      if (password === '' || dn === '') return false
      try {
        await ask(client.bind(dn, password))
        return true
      } catch (error) {
        if (isRefusal(error)) return false
        throw error
      }
    },
    async search({ base, filter, attributes, scope = 'sub', limit = GROUPS_MAX }) {
      const size = config.max_page_size
      try {
        const { searchEntries } = await ask(
          client.search(base, {
            filter,
            scope,
            attributes: [...attributes],
            explicitBufferAttributes: [...attributes],
            sizeLimit: limit,
            timeLimit: config.request_timeout,
            ...(size > 0 && { paged: { pageSize: size } }),
          }),
        )
        return searchEntries.slice(0, limit).map(foundOf)
      } catch (error) {
        if (isRefusal(error)) return undefined
        throw error instanceof Failure ? error : trouble(error)
      }
    },
    async [Symbol.asyncDispose]() {
      socket.destroy()
    },
  }
}

function foundOf(entry: Entry): Found {
  return {
    dn: entry.dn,
    values(attribute) {
      const name = Object.keys(entry).find((key) => key.toLowerCase() === attribute.toLowerCase())
      const value = name === undefined || name === 'dn' ? [] : entry[name]
      const all = Array.isArray(value) ? value : value === undefined ? [] : [value]
      return all.map((one) => Buffer.from(one))
    },
  }
}

const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, '$1')
const isSecure = ({ protocol }: URL) => protocol === 'ldaps:'

/** Connected, and with TLS agreed on where the URL asks for it. */
async function openSocket(config: Config, url: URL): Promise<Socket> {
  const at = { host: hostOf(url), port: Number(url.port || (isSecure(url) ? 636 : 389)) }
  const socket = isSecure(url) ? connectTls({ ...tlsOptions(config, url), ...at }) : connectTcp(at)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once(isSecure(url) ? 'secureConnect' : 'connect', resolve)
  // Stays: an error that comes when nobody asks any more must not end the process.
  socket.on('error', reject)
  socket.once('close', () => reject(new Error('the connection was closed')))
  try {
    await inTime(promise, config.connection_timeout)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** The client takes the socket that is there, and never another. */
function clientOptions(config: Config, url: URL, socket: Socket): Ldap.ClientOptions {
  let taken = false
  const take = () => {
    if (taken) throw new Error('the connection to the directory was lost')
    taken = true
    return socket
  }
  return {
    url: `${url.protocol}//${url.host}`,
    timeout: config.request_timeout * 1000,
    createConnection: take,
    // Of an upgrade the client brings what it is to use.
    createSecureConnection: ((options: ConnectionOptions | number) =>
      typeof options === 'object' ? connectTls(options) : take()) as typeof connectTls,
  }
}

function tlsOptions(config: Config, url: URL): ConnectionOptions {
  const host = hostOf(url)
  const { certificate, client_tls_cert: cert, client_tls_key: key } = config
  const version = (name: string) => TLS_VERSIONS[name as keyof typeof TLS_VERSIONS]
  return {
    host,
    ...(!isIP(host) && { servername: host }),
    rejectUnauthorized: !config.insecure_tls,
    minVersion: version(config.tls_min_version),
    maxVersion: version(config.tls_max_version),
    ...(certificate !== '' && { ca: certificate }),
    ...(cert !== '' && { cert, key }),
  }
}

async function inTime<T>(work: Promise<T>, seconds: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('the directory took too long')), seconds * 1000)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
