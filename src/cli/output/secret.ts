/**
 * How an answer of the server is shown: the envelope as JSON or YAML, `Key  Value` rows as a
 * table, one field alone with `-field`.
 */
import { isObject, type JsonObject } from '../../lib/json.ts'
import { CliError } from '../cli-error.ts'
import type { Context } from '../command.ts'
import {
  goQuoted,
  goTime,
  goValue,
  humanDuration,
  looksLikeDuration,
  sortedKeys,
} from '../go-text.ts'
import type { Secret } from '../http/api.ts'
import { inByteOrder } from './exact-json.ts'
import { heading, table, wrap } from './table.ts'

type Show = Pick<Context, 'out' | 'settings'>
type Row = readonly [key: string, value: string]

/** The whole answer, or the one field that was asked for. */
export function showSecret(at: Show, secret: Secret): void {
  const { field } = at.settings
  if (field !== undefined) return showField(at, fieldOf(secret, field), field)
  if (!at.out.tabular) return at.out.structured(envelope(secret))
  showWarnings(at, secret.warnings)
  const rows = [
    ...leaseRows(secret),
    ...authRows(secret),
    ...wrapRows(secret),
    ...dataRows(secret.data),
  ]
  if (rows.length > 0) at.out.line(table(['Key', 'Value'], rows))
}

/** A map that is no envelope; honours `-field` too. */
export function showData(at: Show, data: JsonObject): void {
  const { field } = at.settings
  if (field !== undefined) return showField(at, data[field], field)
  if (!at.out.tabular) return at.out.structured(data)
  const rows = dataRows(data)
  if (rows.length > 0) at.out.line(table(['Key', 'Value'], rows))
}

/** A map under its own heading: the two halves of `kv get`. */
export function showSection(at: Show, title: string, data: JsonObject): void {
  const widest = Math.max(0, ...Object.keys(data).map((key) => key.length))
  at.out.line(heading(title, widest + '    Value'.length))
  const rows = dataRows(data)
  if (rows.length > 0) at.out.line(table(['Key', 'Value'], rows))
}

/**
 * Nothing is listed, which is exit code 2: people are told, programs get a value that is empty. It is
 * an object where Vault's command line gives one.
 */
export function showNone(at: Show, message: string, options: { hint?: string; empty?: [] } = {}) {
  const { hint, empty = {} } = options
  if (at.out.tabular || at.settings.field !== undefined) {
    throw new CliError(message, { exit: 2, ...(hint !== undefined && { hint }) })
  }
  at.out.structured(empty)
  return 2
}

/** `keys`, sorted; with -detailed also what `key_info` says of each. */
export function showKeys(at: Show, secret: Secret): void {
  const { detailed, field } = at.settings
  if (field !== undefined) return showField(at, fieldOf(secret, field), field)
  const listed = secret.data?.['keys']
  const keys = Array.isArray(listed) ? listed.map(String) : []
  if (!at.out.tabular) return at.out.structured(detailed ? envelope(secret) : keys)
  showWarnings(at, secret.warnings)
  const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const info = secret.data?.['key_info']
  if (!detailed || !isObject(info)) {
    return at.out.line(
      table(
        ['Keys'],
        sorted.map((key) => [key]),
      ),
    )
  }
  const about = (key: string) => (isObject(info[key]) ? info[key] : {})
  const heads = sortedKeys(Object.assign({}, ...sorted.map(about)) as object)
  const cell = (key: string, head: string) => {
    const found = about(key)
    return head in found ? readable(head, found[head]) : 'n/a'
  }
  const rows = sorted.map((key) => [key, ...heads.map((head) => cell(key, head))])
  at.out.line(table(['Keys', ...heads], rows))
}

/** One value alone: text as it is, anything else as JSON would be read back. */
export function showField(at: Show, value: unknown, field: string): void {
  if (value === undefined) {
    throw new CliError(`Field "${field}" not present in secret`, {
      hint: 'without -field it shows which there are',
    })
  }
  if (at.out.tabular || at.settings.format === 'raw') at.out.raw(goValue(value))
  else at.out.structured(inByteOrder(value))
}

/** Fields that live outside `data` have names of their own. */
export function fieldOf(secret: Secret, field: string): unknown {
  const named = new Map<string, unknown>()
  const { auth, wrapInfo } = secret
  if (wrapInfo !== null) {
    for (const [key, value] of wrapRows(secret)) named.set(key.replace(/:$/, ''), value)
  }
  if (auth !== null) {
    named.set('token', auth['client_token'])
    named.set('token_accessor', auth['accessor'])
    named.set('token_duration', auth['lease_duration'])
    named.set('token_renewable', auth['renewable'])
    named.set('token_policies', auth['token_policies'] ?? [])
    named.set('identity_policies', auth['identity_policies'] ?? [])
    named.set('policies', auth['policies'] ?? [])
  }
  if (secret.leaseId !== '') {
    named.set('lease_id', secret.leaseId)
    named.set('lease_duration', secret.leaseDuration)
    named.set('lease_renewable', secret.renewable)
  } else if (secret.leaseDuration > 0) {
    named.set('refresh_interval', secret.leaseDuration)
  }
  if (secret.data !== null && Object.hasOwn(secret.data, field)) return secret.data[field]
  return named.get(field) ?? (field === 'data' && secret.data !== null ? secret.data : undefined)
}

export function showWarnings(at: Show, warnings: readonly string[]): void {
  if (warnings.length === 0) return
  at.out.warn('WARNING! The following warnings were returned from Vault:\n')
  for (const warning of warnings)
    at.out.warn(`  ${wrap(`* ${warning}`, 76).replaceAll('\n', '\n  ')}\n`)
}

/** The envelope with its keys in the order Vault's own CLI prints them. */
export function envelope(secret: Secret): JsonObject {
  const { raw } = secret
  const order = ['request_id', 'lease_id', 'lease_duration', 'renewable', 'data', 'warnings']
  const shown: JsonObject = {}
  for (const key of order) shown[key] = inByteOrder(raw[key] ?? null)
  for (const key of ['auth', 'wrap_info', 'mount_type']) {
    if (raw[key] !== null && raw[key] !== undefined) shown[key] = raw[key]
  }
  return shown
}

function leaseRows({ leaseId, leaseDuration, renewable }: Secret): Row[] {
  if (leaseDuration <= 0) return []
  if (leaseId === '') return [['refresh_interval', humanDuration(leaseDuration)]]
  return [
    ['lease_id', leaseId],
    ['lease_duration', humanDuration(leaseDuration)],
    ['lease_renewable', String(renewable)],
  ]
}

function authRows({ auth }: Secret): Row[] {
  if (auth === null) return []
  const mfa = auth['mfa_requirement']
  if (isObject(mfa)) {
    return [
      ['mfa_request_id', goValue(mfa['mfa_request_id'])],
      ['mfa_constraints', goValue(mfa['mfa_constraints'])],
    ]
  }
  const list = (key: string) => goQuoted(Array.isArray(auth[key]) ? auth[key] : [])
  const seconds = auth['lease_duration']
  const meta = isObject(auth['metadata']) ? auth['metadata'] : {}
  return [
    ['token', goValue(auth['client_token'])],
    ['token_accessor', goValue(auth['accessor'])],
    ['token_duration', seconds === 0 ? '∞' : humanDuration(Number(seconds))],
    ['token_renewable', goValue(auth['renewable'])],
    ['token_policies', list('token_policies')],
    ['identity_policies', list('identity_policies')],
    ['policies', list('policies')],
    ...sortedKeys(meta).map((key): Row => [`token_meta_${key}`, goValue(meta[key])]),
  ]
}

function wrapRows({ wrapInfo }: Secret): Row[] {
  if (wrapInfo === null) return []
  const rows: Row[] = [
    ['wrapping_token:', goValue(wrapInfo['token'])],
    ['wrapping_accessor:', goValue(wrapInfo['accessor'])],
    ['wrapping_token_ttl:', humanDuration(Number(wrapInfo['ttl']))],
    ['wrapping_token_creation_time:', goTime(goValue(wrapInfo['creation_time']))],
    ['wrapping_token_creation_path:', goValue(wrapInfo['creation_path'])],
  ]
  const wrapped = wrapInfo['wrapped_accessor']
  if (typeof wrapped === 'string' && wrapped !== '') rows.push(['wrapped_accessor:', wrapped])
  return rows
}

function dataRows(data: JsonObject | null): Row[] {
  if (data === null) return []
  return sortedKeys(data).map((key): Row => [key, readable(key, data[key])])
}

function readable(key: string, value: unknown): string {
  return looksLikeDuration(key) && typeof value === 'number' ? humanDuration(value) : goValue(value)
}
