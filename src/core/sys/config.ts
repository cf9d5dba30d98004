/**
 * Settings that are kept in the store and read by the layer that speaks HTTP: CORS and headers of
 * the user interface; and a look at the settings that came from the configuration file.
 */
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { t } from '../../schema/field.ts'
import { type Tx } from '../../barrier/space.ts'
import { type Core } from '../core.ts'
import { txOf } from '../turn.ts'

export function configEndpoints(core: Core, options: LoggerOptions = {}): Endpoint[] {
  return [
    corsEndpoint(),
    ...uiHeadersEndpoints(),
    sanitizedEndpoint(core),
    reloadEndpoint(),
    ...loggersEndpoints(options.logLevel),
  ]
}

export type CorsConfig = { allowed_origins: string[]; allowed_headers: string[] }
const CORS_PATH = 'sys/config-cors'

/** Origins a browser may call from, or undefined when none may. */
export async function corsConfig(tx: Tx): Promise<CorsConfig | undefined> {
  return tx.get<CorsConfig>(CORS_PATH)
}

function corsEndpoint(): Endpoint {
  return endpoint('config/cors', {
    help: 'From which origins a browser may call this server.',
    access: 'sudo',
    injected: true,
    fields: {
      enable: t.bool({ help: 'False is the same as a delete.', default: true, clear: true }),
      allowed_origins: t.list({ help: 'Origins, or "*" alone.', default: [], clear: true }),
      allowed_headers: t.list({ help: 'Beside the usual ones.', default: [], clear: true }),
    },
    async read(call) {
      const config = await corsConfig(txOf(call as never))
      return config ? { enabled: true, ...config } : { enabled: false }
    },
    write(call) {
      const { enable, allowed_origins, allowed_headers } = call.data
      const tx = txOf(call as never)
      if (!enable) {
        tx.remove(CORS_PATH)
        return undefined
      }
      if (allowed_origins.length === 0) {
        refuse('at least one origin or the wildcard must be provided')
      }
      if (allowed_origins.length > 1 && allowed_origins.includes('*')) {
        refuse('to allow all origins the "*" must be the only value for allowed_origins')
      }
      if (!allowed_headers.every((name) => HEADER_NAME.test(name))) {
        refuse('allowed_headers must be names as HTTP has them')
      }
      tx.put(CORS_PATH, { allowed_origins, allowed_headers } satisfies CorsConfig)
      return undefined
    },
    delete(call) {
      txOf(call as never).remove(CORS_PATH)
      return undefined
    },
  })
}

/** By lower-case name. */
export type UiHeaders = { headers: Record<string, string[]> }
const UI_HEADERS_PATH = 'sys/config-ui-headers'

export async function uiHeaders(tx: Tx): Promise<UiHeaders['headers']> {
  return (await tx.get<UiHeaders>(UI_HEADERS_PATH))?.headers ?? {}
}

/** RFC 9110, section 5.6.2. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,128}$/
/** A line break in a value would be a header of its own. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

function uiHeadersEndpoints(): Endpoint[] {
  const header = t.segment({ help: 'The name of the header.' })
  const edit = async (tx: Tx, name: string, values: string[] | undefined) => {
    const { [name.toLowerCase()]: _, ...others } = await uiHeaders(tx)
    const headers = values ? { ...others, [name.toLowerCase()]: values } : others
    tx.put(UI_HEADERS_PATH, { headers } satisfies UiHeaders)
  }
  return [
    endpoint('config/ui/headers', {
      help: 'The headers that the user interface is served with.',
      access: 'sudo',
      fields: {},
      list: async (call) => ({ keys: Object.keys(await uiHeaders(txOf(call as never))).sort() }),
    }),
    endpoint('config/ui/headers/:header', {
      help: 'One header that the user interface is served with.',
      access: 'sudo',
      fields: {
        header,
        values: t.list({ help: 'Its values.', default: [], clear: true }),
        multivalue: t.bool({ help: 'Show the values as a list.', default: false }),
      },
      async read(call) {
        const headers = await uiHeaders(txOf(call as never))
        const values = headers[call.data.header.toLowerCase()]
        if (!values) return undefined
        return call.data.multivalue ? { values } : { value: values[0] ?? '' }
      },
      async write(call) {
        const { header: name, values } = call.data
        if (/^x-vault-/i.test(name)) refuse('X-Vault headers cannot be set')
        if (!HEADER_NAME.test(name)) refuse('the header must be a name as HTTP has them')
        if (values.length === 0) refuse('header values cannot be empty')
        if (!values.every((value) => HEADER_VALUE.test(value))) {
          refuse('header values must not contain control characters')
        }
        await edit(txOf(call as never), name, values)
        return undefined
      },
      async delete(call) {
        await edit(txOf(call as never), call.data.header, undefined)
        return undefined
      },
    }),
  ]
}

function sanitizedEndpoint(core: Core): Endpoint {
  return endpoint('config/state/sanitized', {
    help: 'The settings in force, without anything secret.',
    fields: {},
    async read() {
      const { settings, store, mounts, keeper } = core
      const config = await keeper.config()
      return {
        api_addr: settings.apiAddr,
        cluster_addr: '',
        cluster_name: settings.clusterName,
        default_lease_ttl: mounts.ttl.defaultSeconds,
        max_lease_ttl: mounts.ttl.maxSeconds,
        disable_cache: false,
        disable_mlock: true,
        enable_ui: true,
        raw_storage_endpoint: settings.rawStorage,
        listeners: [],
        storage: { type: store.type, redirect_addr: settings.apiAddr, cluster_addr: '' },
        seals: [{ type: config?.type ?? 'shamir', disabled: false }],
      }
    },
  })
}

/** What the configuration file says is read again at SIGHUP, by the process that was started. */
function reloadEndpoint(): Endpoint {
  return endpoint('config/reload/:subsystem', {
    help: 'Nothing can be loaded again by request; SIGHUP does it.',
    fields: { subsystem: t.segment({ help: 'Which part.' }) },
    write: ({ data }) => refuse(`unsupported subsystem "${data.subsystem}"; send SIGHUP instead`),
  })
}

/** The level of the server's log, where the server lets it be changed while it runs. */
export type LogLevel = { get(): string; set(level: string): void; readonly initial: string }
export type LoggerOptions = { logLevel?: LogLevel }

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error']
/** There is one log; under this name clients find it in the list. */
const LOGGER = 'core'

function loggersEndpoints(logLevel: LogLevel | undefined): Endpoint[] {
  const help = 'The level of the server log, until it starts again.'
  const level = t.string({ help: `One of ${LEVELS.join(', ')}.`, default: '', clear: true })
  const name = t.segment({ help: 'Only "core" exists.' })

  const read = () => ({ [LOGGER]: logLevel?.get() ?? 'info' })
  function set(wanted: string): undefined {
    if (!LEVELS.includes(wanted)) refuse(`level must be one of ${LEVELS.join(', ')}`)
    if (!logLevel) refuse('the log level of this server is fixed by how it was started')
    logLevel.set(wanted)
    return undefined
  }
  function check(given: string): void {
    if (given !== LOGGER)
      throw new Failure('not_found', `logger ${JSON.stringify(given)} not found`)
  }
  const reset = () => (logLevel ? set(logLevel.initial) : undefined)
  return [
    endpoint('loggers', {
      help,
      fields: { level },
      read,
      write: ({ data }) => set(data.level),
      delete: reset,
    }),
    endpoint('loggers/:name', {
      help,
      fields: { name, level },
      read({ data }) {
        check(data.name)
        return read()
      },
      write({ data }) {
        check(data.name)
        return set(data.level)
      },
      delete({ data }) {
        check(data.name)
        return reset()
      },
    }),
  ]
}
