/**
 * The server's configuration, in Vault's language: HCL or JSON, one file or many. Everything is
 * checked before anything is started, and every mistake is told at once, with its line.
 */
import { type HclObject, HclError, parseHclOrJson } from '../lib/hcl.ts'
import { type AuditBlock, readAudit } from './config-audit.ts'
import { type LockoutDefaults } from '../core/lockout.ts'
import { readLockout } from './config-lockout.ts'
import { readSources, type Source } from './config-files.ts'
import { LEASE_TTL_SECONDS, TELEMETRY_KEYS, TOP_KEYS } from './config-keys.ts'
import { type ListenerConfig, readListeners } from './config-listener.ts'
import { createReport, type Report } from './config-report.ts'
import { readSeal, type SealConfig } from './config-seal.ts'
import { readStorage, type StorageConfig } from './config-storage.ts'
import {
  type Found,
  inside,
  parseValue,
  type Placed,
  placeOf,
  readTable,
  type Values,
} from './config-table.ts'

export { type AuditBlock } from './config-audit.ts'
export { type Source } from './config-files.ts'
export { type ListenerConfig, type TlsConfig } from './config-listener.ts'
export { ConfigError } from './config-report.ts'
export { type SealConfig } from './config-seal.ts'
export { type StorageConfig } from './config-storage.ts'

/** All paths are absolute. Holds the keys of a static seal: never print it as a whole. */
export type ServerConfig = {
  storage: StorageConfig
  listeners: ListenerConfig[]
  seal: SealConfig
  defaultLeaseTtlSeconds: number
  maxLeaseTtlSeconds: number
  apiAddr?: string | undefined
  clusterAddr?: string | undefined
  clusterName?: string | undefined
  pidFile?: string | undefined
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error'
  logFormat: 'standard' | 'json'
  /** Absent: the log goes to standard error. */
  logFile?: string | undefined
  audit: AuditBlock[]
  /** More than 1 only with `sqlite`. */
  workers: number
  ui: boolean
  disableMlock: boolean
  rawStorageEndpoint: boolean
  /** A retention of 0 switches metrics for Prometheus off. */
  telemetry: { prometheusRetentionSeconds: number; disableHostname: boolean }
  /** By type of auth mount, `all` for those that have none. */
  userLockout: LockoutDefaults
  /** For the log at the start: keys that were ignored, and settings that are risky. */
  warnings: string[]
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * Reads files and folders as one configuration: lists grow, of single keys the last counts, and
 * variables win over files. Relative paths start at the current directory. Throws ConfigError.
 */
export function loadConfig(paths: readonly string[], options?: { env?: Env }): ServerConfig {
  const report = createReport()
  if (paths.length === 0) {
    report.problem({ file: '-config' }, 'no configuration is named', 'a file or folder')
  }
  const sources = readSources(paths, report)
  // A file that cannot be read may hold whatever else would seem to be missing.
  report.throwIfProblems()
  return readConfig(sources, options)
}

/** The same from texts. Only key files of a static seal are read. Throws ConfigError. */
export function readConfig(sources: readonly Source[], options?: { env?: Env }): ServerConfig {
  const report = createReport()
  const env = options?.env ?? process.env
  const items = sources.flatMap((source) => parse(source, report))
  const files = sources.map((source) => source.file)
  report.throwIfProblems(files)
  const file = files[0] ?? '-config'
  const top = readTable(TOP_KEYS, items, { report, name: '', place: { file } })
  const values = withEnv(top.values, env, report)
  const storage = readStorage(inOrder(items, ['storage', 'backend']), report, file)
  const listeners = readListeners(top.blocks('listener'), {
    report,
    file,
    maxRequestDurationSeconds:
      values.default_max_request_duration || TOP_KEYS.default_max_request_duration.fallback,
  })
  const open = new Set(sources.filter((source) => source.private === false).map((s) => s.file))
  const readableByOthers = (name: string) => open.has(name)
  const seal = readSeal(top.blocks('seal'), { report, env, readableByOthers })
  const audit = readAudit(top.blocks('audit'), report)
  const telemetry = readTelemetry(top.blocks('telemetry'), report)
  const userLockout = readLockout(top.blocks('user_lockout'), report)
  const ttl = readTtl(top, report)
  if (storage?.type === 'inmem' && values.workers > 1) {
    const told = '"workers" is more than 1, but memory is not shared between processes'
    report.problem(top.place('workers'), told, 'storage "sqlite", or workers = 1')
  }
  report.throwIfProblems(files)
  return {
    // Neither is undefined without a problem told.
    storage: storage!,
    listeners,
    seal: seal!,
    ...ttl,
    apiAddr: values.api_addr,
    clusterAddr: values.cluster_addr,
    clusterName: values.cluster_name,
    pidFile: values.pid_file,
    logLevel: values.log_level,
    logFormat: values.log_format,
    logFile: values.log_file,
    audit,
    workers: values.workers,
    ui: values.ui,
    disableMlock: values.disable_mlock,
    rawStorageEndpoint: values.raw_storage_endpoint,
    telemetry,
    userLockout,
    warnings: report.warnings,
  }
}

/** How many labels a block has, which JSON cannot show. Of `audit`, the second is found later. */
const BLOCKS: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(TOP_KEYS).flatMap(([name, key]) =>
    key.use === 'block' ? [[name, key.labels]] : [],
  ),
)

function parse({ file, text }: Source, report: Report): Placed[] {
  let parsed: HclObject
  try {
    parsed = parseHclOrJson(text, { blocks: BLOCKS })
  } catch (error) {
    if (!(error instanceof HclError)) throw error
    const what = error.message.replace(/^line \d+: /, '')
    const [wrong, expected] = what.startsWith('expected ')
      ? ['this is not HCL or JSON', what.slice('expected '.length)]
      : [what, 'HCL or JSON']
    report.problem({ file, line: error.line }, wrong, expected)
    return []
  }
  return parsed.items.map((item) => ({ item, file }))
}

const inOrder = (items: readonly Placed[], keys: readonly string[]) =>
  items.filter(({ item }) => keys.includes(item.key))

type Top = Found<typeof TOP_KEYS>

function withEnv<T extends Values<typeof TOP_KEYS>>(values: T, env: Env, report: Report): T {
  const changed: Record<string, unknown> = { ...values }
  for (const [name, key] of Object.entries(TOP_KEYS)) {
    if (key.use !== 'read' || !('env' in key)) continue
    const variable = key.env?.find((each) => env[each] !== undefined && env[each] !== '')
    if (variable === undefined) continue
    const given = env[variable] ?? ''
    const tell = (wrong: string, expected: string) =>
      report.problem({ file: variable }, `the variable ${wrong}`, expected)
    changed[name] = parseValue<unknown>(key.kind, given, tell) ?? changed[name]
  }
  return changed as T
}

/** 0 and absent are the default; a default that is not set follows a shorter maximum. */
function readTtl({ values, place }: Top, report: Report) {
  const maxLeaseTtlSeconds = values.max_lease_ttl || LEASE_TTL_SECONDS
  const longest = Math.min(LEASE_TTL_SECONDS, maxLeaseTtlSeconds)
  const defaultLeaseTtlSeconds = values.default_lease_ttl || longest
  if (defaultLeaseTtlSeconds > maxLeaseTtlSeconds) {
    const told = '"default_lease_ttl" is longer than "max_lease_ttl"'
    const expected = 'a shorter default_lease_ttl, or a longer max_lease_ttl (768h without one)'
    report.problem(place('default_lease_ttl'), told, expected)
  }
  return { defaultLeaseTtlSeconds, maxLeaseTtlSeconds }
}

function readTelemetry(blocks: readonly Placed[], report: Report): ServerConfig['telemetry'] {
  const placed = blocks.at(-1)
  const items = placed ? inside(placed) : []
  const scope = { report, name: 'telemetry', place: placed ? placeOf(placed) : { file: '' } }
  if (items === undefined || (placed && placed.item.labels.length > 0)) {
    report.problem(scope.place, '"telemetry" has another form', 'telemetry { … }')
  }
  const { values } = readTable(TELEMETRY_KEYS, items ?? [], scope)
  return {
    prometheusRetentionSeconds: values.prometheus_retention_time,
    disableHostname: values.disable_hostname,
  }
}
