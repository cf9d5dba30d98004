/**
 * Asks providers whether what was found is alive. Only where somebody asked for it, and only hosts that
 * they have named: a scan sends nothing anywhere by itself, and a finding cannot choose who is asked.
 */
import type { IncomingMessage } from 'node:http'
import type { request as HttpsRequest } from 'node:https'
import type { Finding, Verdict } from '../finding.ts'
import { type Probe, PROBES } from './probes.ts'

const TIMEOUT_MS = 10_000
const BODY_BYTES_MAX = 64 * 1024
/** In one run, to each host. */
const REQUESTS_MAX = 500

/** Hosts that may be asked, and where each is reached. */
export type Hosts = ReadonlyMap<string, URL>

export const PROBED_HOSTS: readonly string[] = [...new Set(PROBES.map(({ host }) => host))].sort()

/**
 * `api.github.com`, or `api.github.com=https://github.internal/api/v3` where it is reached another way.
 * Throws a TypeError that says what would be right.
 */
export function hostsOf(words: readonly string[]): Hosts {
  return new Map(
    words.map((word) => {
      const [host = '', ...rest] = word.split('=')
      if (!PROBED_HOSTS.includes(host)) {
        throw new TypeError(
          `${host} is not asked by any rule: there are ${PROBED_HOSTS.join(', ')}`,
        )
      }
      const url = URL.parse(rest.length === 0 ? `https://${host}` : rest.join('='))
      const isLocal =
        url !== null && /^(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname)
      if (url === null || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))) {
        throw new TypeError(`${host} must be reached by https`)
      }
      return [host, url]
    }),
  )
}

export type Verifier = (finding: Finding) => Promise<Verdict | undefined>

/** Each secret is asked about once. Undefined: there is nobody to ask. */
export function verifier(hosts: Hosts): Verifier {
  const byRule = new Map(PROBES.flatMap((probe) => probe.rules.map((rule) => [rule, probe])))
  const known = new Map<string, Promise<Verdict>>()
  const asked = new Map<string, number>()
  return async ({ rule, secret }) => {
    const probe = byRule.get(rule)
    const url = probe && hosts.get(probe.host)
    if (probe === undefined || url === undefined || !/^[\x21-\x7e]+$/.test(secret)) return undefined
    const key = `${probe.host}\0${secret}`
    const before = known.get(key)
    if (before) return before
    const count = (asked.get(probe.host) ?? 0) + 1
    asked.set(probe.host, count)
    const verdict =
      count > REQUESTS_MAX ? Promise.resolve('unknown' as const) : ask(probe, url, secret)
    known.set(key, verdict)
    return verdict
  }
}

async function ask(probe: Probe, base: URL, secret: string): Promise<Verdict> {
  const basic = Buffer.from(`${secret}:`).toString('base64')
  const headers = Object.fromEntries(
    Object.entries(probe.headers).map(([name, value]) => {
      return [name, value.replace('{secret}', () => secret).replace('{basic}', () => basic)]
    }),
  )
  const url = new URL(base.pathname.replace(/\/$/, '') + probe.path, base)
  try {
    const { status, body } = await request(url, { ...probe, headers })
    if (probe.dead.includes(status)) return 'dead'
    if (!probe.live.includes(status)) return 'unknown'
    return probe.deadBody !== undefined && body.includes(probe.deadBody) ? 'dead' : 'live'
  } catch {
    // Not reached, too slow, cut off: nothing was said about the secret.
    return 'unknown'
  }
}

type Answer = { readonly status: number; readonly body: string }

/** One request. A redirect is an answer like any other: the secret goes nowhere else. */
async function request(
  url: URL,
  { method, headers }: Pick<Probe, 'method' | 'headers'>,
): Promise<Answer> {
  const { request: send } = await import(url.protocol === 'http:' ? 'node:http' : 'node:https')
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: { 'user-agent': 'coffer-scan', ...headers },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }
    const sent = (send as typeof HttpsRequest)(url, options, (response: IncomingMessage) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        if (body.length < BODY_BYTES_MAX) body += text
        else response.destroy()
      })
      response.on('close', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}
