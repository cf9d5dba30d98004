/**
 * The client library under the settings of the command line: the same address, token and TLS, sent
 * by the same code as every other command's requests, so that no flag means less here.
 */
import { authFromEnv, token } from '../../client/auth.ts'
import { type ConnectOptions } from '../../client/connect.ts'
import { type FetchLike } from '../../client/transport.ts'
import { CliError } from '../cli-error.ts'
import { type Context } from '../command.ts'
import { send } from './send.ts'

export function clientOptions({ settings, io }: Pick<Context, 'settings' | 'io'>): ConnectOptions {
  const { address, namespace, timeoutSeconds, retriesMax } = settings
  const socket = address.startsWith('unix://') ? address.slice('unix://'.length) : undefined
  return {
    address: socket === undefined ? address : 'http://localhost',
    auth: settings.token === undefined ? authFromEnv(io.env) : token(settings.token),
    namespace: namespace ?? '',
    fetch: fetchWith(settings, socket),
    timeoutMs: timeoutSeconds * 1000,
    tries: retriesMax + 1,
    env: io.env,
  }
}

function fetchWith(settings: Context['settings'], socket: string | undefined): FetchLike {
  const extra = settings.headers.map((pair) => {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new CliError('-header must be of the form key=value')
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const
  })
  return async (text, { method = 'GET', headers, body, signal }) => {
    signal?.throwIfAborted()
    const url = new URL(text)
    const sent = send(
      {
        method,
        url,
        target: url.pathname + url.search,
        socket,
        headers: { ...Object.fromEntries(extra), ...(headers as Record<string, string>) },
        body: typeof body === 'string' ? body : undefined,
      },
      settings,
    )
    const received = await (signal ? Promise.race([sent, aborted(signal)]) : sent)
    const answer = new Headers()
    for (const name of ['location', 'retry-after']) {
      const value = received.headers[name]
      if (typeof value === 'string') answer.set(name, value)
    }
    const { status } = received
    // The constructor takes no text with these.
    const text204 = status === 204 || status === 304 ? null : received.text
    return new Response(text204, { status, headers: answer })
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
