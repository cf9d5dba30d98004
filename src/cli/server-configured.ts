/** `server -config`: one process, or several behind one port, from a configuration file. */
import cluster from 'node:cluster'
import { openSync, rmSync, writeFileSync } from 'node:fs'
import { reportedVaultVersion } from '../lib/version.ts'
import { ConfigError, loadConfig, type ServerConfig } from '../server/config.ts'
import { endOnUncaught, lineLog, type Log } from '../server/log.ts'
import { openCore, serve, type ServerOptions } from '../server/server.ts'
import { raiseWorkers, type Sibling, siblingOf } from '../server/siblings.ts'
import { readTlsFiles, TlsUnusable } from '../server/tls-files.ts'
import { StoreUnusable } from '../storage/store.ts'
import { CliError, messageOf } from './cli-error.ts'
import type { Io } from './io.ts'
import { listening, untilStopped, versionText } from './server-command.ts'
import { configurationText } from './server-start.ts'

export type Configured = {
  paths: readonly string[]
  program: string
  io: Io
  given: { 'log-level'?: string | undefined; 'log-format'?: string | undefined }
}

export async function runConfigured({ paths, program, io, given }: Configured): Promise<number> {
  const config = load(paths)
  if (given['log-level']) config.logLevel = given['log-level'] as ServerConfig['logLevel']
  if (given['log-format']) config.logFormat = given['log-format'] as ServerConfig['logFormat']
  checkTlsFiles(config)
  const log = lineLog({
    level: config.logLevel,
    format: config.logFormat,
    ...(config.logFile && { fd: openSync(config.logFile, 'a', 0o600) }),
  })
  endOnUncaught(log)
  if (config.workers > 1 && !cluster.isWorker) return runFamily(config, log, { program, io })
  for (const warning of config.warnings) log('warn', warning)
  const sibling = siblingOf()
  if (sibling) return runWorker(config, log, sibling)
  const options = serverOptions(config, log)
  const open = opened(options)
  await open.core.keeper.openItself()
  const running = await listening(() => serve(open, options), listeningOf(config))
  writePid(config, log)
  printConfiguration(config, { program, io, listeners: running.listeners })
  await untilStopped(running, { program, write: (text) => io.stdout.write(text) })
  removePid(config)
  return 0
}

/** Before the store is opened, and before a parent makes workers that could not serve. */
function checkTlsFiles({ listeners }: ServerConfig): void {
  try {
    for (const { tls } of listeners) if (tls) readTlsFiles(tls)
  } catch (error) {
    if (!(error instanceof TlsUnusable)) throw error
    throw new CliError(error.message, { hint: 'see "listener" in the configuration file' })
  }
}

/** Says what is wrong with the place of the store instead of showing a defect. */
function opened(options: Parameters<typeof openCore>[0]): ReturnType<typeof openCore> {
  try {
    return openCore(options)
  } catch (error) {
    if (!(error instanceof StoreUnusable)) throw error
    throw new CliError(error.message, { hint: 'see "storage" in the configuration file' })
  }
}

function listeningOf({ listeners }: ServerConfig) {
  const address = listeners.map(({ host, port }) => `${host}:${port}`).join(', ')
  return { address, setting: '"listener" in the configuration file' }
}

/** One of several processes behind the port. It ends by exit: its channel would keep it alive. */
async function runWorker(config: ServerConfig, log: Log, sibling: Sibling): Promise<never> {
  const options = serverOptions(config, log)
  options.announce = (message) => sibling.announce(message)
  try {
    const open = openCore(options)
    const { sealed } = await sibling.join(open.core.keeper)
    // What an operator has sealed stays sealed, also for a process that is born later.
    if (!sealed) await open.core.keeper.openItself()
    const running = await listening(() => serve(open, options), listeningOf(config))
    await new Promise<void>((stop) => {
      sibling.obey({ stop, reload: () => running.reload() })
      sibling.ready(running.listeners[0]!.address.port)
      // The parent decides when to end: a Ctrl-C on the terminal reaches the whole group.
      process.on('SIGINT', () => {})
      process.on('SIGTERM', stop)
    })
    await running.close()
  } catch (error) {
    log('error', `worker cannot serve: ${messageOf(error)}`)
    process.exit(1)
  }
  process.exit(0)
}

function load(paths: readonly string[]): ServerConfig {
  try {
    return loadConfig(paths)
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message)
    throw error
  }
}

function serverOptions(config: ServerConfig, log: Log): ServerOptions {
  return {
    storage: config.storage,
    listeners: config.listeners,
    log,
    ttl: { defaultSeconds: config.defaultLeaseTtlSeconds, maxSeconds: config.maxLeaseTtlSeconds },
    settings: {
      version: reportedVaultVersion(),
      workers: config.workers,
      userLockout: config.userLockout,
      rawStorage: config.rawStorageEndpoint,
      ...(config.apiAddr && { apiAddr: config.apiAddr }),
      ...(config.clusterName && { clusterName: config.clusterName }),
    },
    audit: config.audit,
    ...(config.seal.type === 'static' && { staticKeys: config.seal.keys }),
  }
}

type Told = Pick<Configured, 'program' | 'io'>

/** The parent of several workers: holds the port, serves nothing itself. */
async function runFamily(config: ServerConfig, log: Log, { program, io }: Told): Promise<number> {
  const family = raiseWorkers(config.workers, log)
  const port = await family.ready
  writePid(config, log)
  const listeners = config.listeners.map(({ host, tls }, i) => ({
    address: {
      address: host || '::',
      family: host.includes(':') || host === '' ? 'IPv6' : 'IPv4',
      port: i === 0 ? port : config.listeners[i]!.port,
    },
    secure: tls !== undefined,
  }))
  printConfiguration(config, { program, io, listeners })
  await untilStopped(
    { close: () => family.stop(), reload: () => family.reload() },
    { program, write: (text) => io.stdout.write(text) },
  )
  removePid(config)
  return 0
}

type Listeners = Parameters<typeof configurationText>[0]['listeners']

function printConfiguration(
  config: ServerConfig,
  { program, io, listeners }: Told & { listeners: Listeners },
): void {
  io.stdout.write(
    `${configurationText({
      program,
      version: versionText(program),
      storage: config.storage.type,
      listeners,
      logLevel: config.logLevel,
      workers: config.workers,
    })}\n`,
  )
}

function writePid({ pidFile }: ServerConfig, log: Log): void {
  if (!pidFile) return
  try {
    writeFileSync(pidFile, `${process.pid}`, { mode: 0o644 })
  } catch (error) {
    log('error', `pid_file cannot be written: ${(error as Error).message}`)
  }
}

function removePid({ pidFile }: ServerConfig): void {
  if (pidFile) rmSync(pidFile, { force: true })
}
