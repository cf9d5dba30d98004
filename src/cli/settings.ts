/**
 * The flags every command has, and what they and the environment come to: where the server is, who
 * asks, and how the answer is printed. A flag wins over COFFER_*, which wins over VAULT_*.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CliError } from './cli-error.ts'
import { type Flag, flag, type Flags, type Values } from './flag.ts'
import { parseDuration } from './go-text.ts'
import type { Env, Io } from './io.ts'

export const DEFAULT_ADDRESS = 'https://127.0.0.1:8200'
export const FORMATS = ['table', 'json', 'yaml', 'yml', 'raw'] as const
export type Format = (typeof FORMATS)[number]

export const globalFlags = {
  address: flag.string(`Address of the server. Default: ${DEFAULT_ADDRESS}.`, { value: 'url' }),
  'ca-cert': flag.string('File with the PEM certificate of the authority to trust.'),
  'ca-path': flag.string('Folder of PEM certificates to trust.'),
  'client-cert': flag.string('File with the PEM certificate to show the server.'),
  'client-key': flag.string('File with the PEM key of -client-cert.'),
  'tls-skip-verify': flag.bool('Do not check the certificate of the server. Never in production.'),
  'tls-server-name': flag.string('Name to expect in the certificate of the server.'),
  namespace: flag.string('Namespace to work in.', { alias: ['ns'] }),
  header: flag.list('Header to send, as key=value. May be given many times.', { value: 'k=v' }),
  'wrap-ttl': flag.duration('Wrap the answer in a token that lives this long.'),
  mfa: flag.list('MFA credential, as method[:key=value]. May be given many times.'),
  'policy-override': flag.bool('Override a soft-mandatory Sentinel policy.', { hidden: true }),
  'output-curl-string': flag.bool('Print the request as a curl command, and do not send it.'),
  'output-policy': flag.bool('Print the policy the request needs, and do not send it.'),
  format: flag.string('How to print: table, json, yaml or raw.', { oneOf: FORMATS }),
  field: flag.string('Print only this field, without a newline unless to a terminal.'),
  detailed: flag.bool('Print more about each entry of a list.'),
  'non-interactive': flag.bool('Never ask on the terminal: fail instead.'),
  'unlock-key': flag.string('Key to unlock a namespace with.', { hidden: true }),
  'no-color': flag.bool('Print without colours.'),
} satisfies Record<string, Flag>

/** Global flags that the command does not declare for itself. */
export function globalsBeside(own: Flags): Flags {
  return Object.fromEntries(Object.entries(globalFlags).filter(([name]) => !(name in own)))
}

export type GlobalValues = Values<typeof globalFlags>

export type Tls = {
  readonly caCert: string | undefined
  readonly caPath: string | undefined
  readonly clientCert: string | undefined
  readonly clientKey: string | undefined
  readonly skipVerify: boolean
  readonly serverName: string | undefined
}

export type Settings = {
  readonly address: string
  readonly token: string | undefined
  readonly tls: Tls
  readonly namespace: string | undefined
  readonly headers: readonly string[]
  readonly mfa: readonly string[]
  /** As the server reads it: `300s`. */
  readonly wrapTtl: string | undefined
  readonly policyOverride: boolean
  readonly curl: boolean
  readonly policy: boolean
  readonly format: Format
  readonly field: string | undefined
  readonly detailed: boolean
  readonly interactive: boolean
  readonly unlockKey: string | undefined
  readonly color: boolean
  readonly retriesMax: number
  readonly timeoutSeconds: number
}

/** Reads a setting of any of the names it may have: COFFER_ADDR, then VAULT_ADDR. */
export type Lookup = (name: string) => string | undefined

export function lookup(env: Env, program: string): Lookup {
  const prefixes = program === 'bao' ? ['COFFER_', 'BAO_', 'VAULT_'] : ['COFFER_', 'VAULT_']
  return (name) => {
    for (const prefix of prefixes) {
      const value = env[prefix + name]
      if (value !== undefined && value !== '') return value
    }
    return undefined
  }
}

export function readSettings(program: string, io: Io, flags: GlobalValues): Settings {
  const get = lookup(io.env, program)
  const wrapTtl = flags['wrap-ttl'] === undefined ? get('WRAP_TTL') : `${flags['wrap-ttl']}s`
  return {
    address: (flags.address ?? get('ADDR') ?? DEFAULT_ADDRESS).replace(/\/+$/, ''),
    token: get('TOKEN') ?? readTokenFile(io.home),
    tls: {
      caCert: flags['ca-cert'] ?? get('CACERT'),
      caPath: flags['ca-path'] ?? get('CAPATH'),
      clientCert: flags['client-cert'] ?? get('CLIENT_CERT'),
      clientKey: flags['client-key'] ?? get('CLIENT_KEY'),
      skipVerify: flags['tls-skip-verify'] || isTrue(get('SKIP_VERIFY'), 'SKIP_VERIFY'),
      serverName: flags['tls-server-name'] ?? get('TLS_SERVER_NAME'),
    },
    // OpenBao's name too, whatever this program is called: without it, a secret meant for a namespace
    // would be written into the root.
    namespace: flags.namespace ?? get('NAMESPACE') ?? (io.env['BAO_NAMESPACE'] || undefined),
    headers: flags.header,
    mfa: flags.mfa.length > 0 ? flags.mfa : (get('MFA')?.split(',') ?? []),
    wrapTtl: wrapTtl === '0s' ? undefined : wrapTtl,
    policyOverride: flags['policy-override'],
    curl: flags['output-curl-string'],
    policy: flags['output-policy'],
    format: readFormat(flags.format ?? get('FORMAT')),
    field: flags.field,
    detailed: flags.detailed || isTrue(get('DETAILED'), 'DETAILED'),
    interactive: !flags['non-interactive'],
    unlockKey: flags['unlock-key'],
    color: !flags['no-color'] && wantsColor(io.env) && !isTrue(get('CLI_NO_COLOR'), 'CLI_NO_COLOR'),
    retriesMax: wholeNumber(get('MAX_RETRIES'), 'MAX_RETRIES') ?? 2,
    timeoutSeconds: duration(get('CLIENT_TIMEOUT'), 'CLIENT_TIMEOUT') ?? 60,
  }
}

/** Whether the environment lets us colour a terminal at all. */
export function wantsColor(env: Env): boolean {
  return (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

/** Where `login` leaves the token, for this program and Vault's alike. */
export function tokenFile(home: string): string {
  return join(home, '.vault-token')
}

function readTokenFile(home: string): string | undefined {
  try {
    const token = readFileSync(tokenFile(home), 'utf8').trim()
    return token === '' ? undefined : token
  } catch {
    return undefined
  }
}

function readFormat(text: string | undefined): Format {
  const found = FORMATS.find((format) => format === text?.toLowerCase())
  if (found !== undefined || text === undefined || text === '') return found ?? 'table'
  throw new CliError(`Invalid output format: it must be one of ${FORMATS.join(', ')}`)
}

function isTrue(text: string | undefined, name: string): boolean {
  if (text === undefined) return false
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  throw new CliError(`the environment variable VAULT_${name} must be true or false`)
}

function wholeNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,3}$/.test(text)) {
    throw new CliError(`the environment variable VAULT_${name} must be a small whole number`)
  }
  return Number(text)
}

function duration(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds > 0) return seconds
  throw new CliError(`the environment variable VAULT_${name} must be a duration like 30s`)
}
