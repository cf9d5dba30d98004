/** `server`: starts one, from flags (dev mode) or from a configuration file. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { COFFER_VERSION, reportedVaultVersion } from '../lib/version.ts'
import { DevDataError, devDatabase, openDev } from '../server/dev.ts'
import { endOnUncaught, lineLog, type Log } from '../server/log.ts'
import type { ListenOptions } from '../server/listen.ts'
import { openCore, type RunningServer, serve, type ServerOptions } from '../server/server.ts'
import { giveBackLater } from './give-back.ts'
import { CliError } from './cli-error.ts'
import { defineCommand, flag } from './command.ts'
import { configurationText, devText, urlOf } from './server-start.ts'

const flags = {
  config: flag.list('Configuration file, or folder of them. May be given many times.', {
    value: 'path',
  }),
  dev: flag.bool('Dev mode: unsealed, KV at secret/, in memory.'),
  'dev-root-token-id': flag.string('Root token of dev mode. Env: VAULT_DEV_ROOT_TOKEN_ID.'),
  'dev-listen-address': flag.string(
    'Address of dev mode. Default: 127.0.0.1:8200. Env: VAULT_DEV_LISTEN_ADDRESS.',
    { value: 'host:port' },
  ),
  'dev-no-store-token': flag.bool('Do not write the root token to ~/.vault-token.'),
  'dev-kv-v1': flag.bool('Mount KV version 1 at secret/.'),
  'dev-tls': flag.bool('Listen with TLS, with a certificate made for this start.'),
  'dev-tls-cert-dir': flag.string('Folder for the files of -dev-tls. Default: a new one.'),
  'dev-data': flag.string('Keep the data of dev mode in this folder, and open it at each start.', {
    value: 'folder',
  }),
  'dev-plugin-dir': flag.string('', { hidden: true, refuse: 'this build runs no plugins' }),
  'log-level': flag.string('trace, debug, info, warn or error. Env: VAULT_LOG_LEVEL.', {
    oneOf: ['trace', 'debug', 'info', 'warn', 'error'],
  }),
  'log-format': flag.string('standard or json.', { oneOf: ['standard', 'json'] }),
  'exit-on-core-shutdown': flag.bool('Accepted; nothing to do here.', { hidden: true }),
}

export const command = defineCommand({
  path: ['server'],
  summary: 'Starts a server',
  help:
    'Starts a server, either in dev mode or from a configuration file. It runs in the ' +
    'foreground until SIGINT or SIGTERM, which let requests in flight finish. SIGHUP opens ' +
    'audit files anew and reads TLS certificates again.',
  examples: [
    { does: 'Try it, with the data in memory', line: 'coffer server -dev' },
    { does: 'Keep the data between starts', line: 'coffer server -dev -dev-data=./data' },
    { does: 'In production', line: 'coffer server -config=/etc/coffer/coffer.hcl' },
  ],
  flags,
  globals: false,
  exits: { 0: 'stopped by a signal', 1: 'could not start' },
  async run({ flags: given, io, program }) {
    const { env } = io
    // Whatever this process makes (data, WAL, logs) is for its owner alone, in any folder.
    process.umask(0o077)
    if (given.config.length > 0 && !given.dev) {
      const { runConfigured } = await import('./server-configured.ts')
      return runConfigured({ paths: given.config, program, io, given })
    }
    if (!given.dev) {
      throw new CliError('no configuration: give -config=FILE, or -dev to try it')
    }
    return runDev({
      program,
      write: (text) => void io.stdout.write(text),
      address: given['dev-listen-address'] ?? env['VAULT_DEV_LISTEN_ADDRESS'] ?? '127.0.0.1:8200',
      rootTokenId: given['dev-root-token-id'] ?? env['VAULT_DEV_ROOT_TOKEN_ID'],
      storeToken: !given['dev-no-store-token'],
      kvV1: given['dev-kv-v1'],
      tls: given['dev-tls'] || given['dev-tls-cert-dir'] !== undefined,
      certDir: given['dev-tls-cert-dir'],
      dataDir: given['dev-data'] && resolve(given['dev-data']),
      home: env['HOME'] ?? homedir(),
      log: lineLog({
        level: (given['log-level'] ?? env['VAULT_LOG_LEVEL'] ?? 'warn') as 'info',
        format: (given['log-format'] ?? 'standard') as 'standard',
      }),
    })
  },
})

type Dev = {
  program: string
  write(text: string): void
  address: string
  rootTokenId: string | undefined
  storeToken: boolean
  kvV1: boolean
  tls: boolean
  certDir: string | undefined
  dataDir: string | undefined
  home: string
  log: Log
}

async function runDev(dev: Dev): Promise<number> {
  endOnUncaught(dev.log)
  const { host, port } = parseAddress(dev.address)
  const at: ListenOptions = { host, port }
  const cert = dev.tls ? await makeCertificate(dev.certDir, host) : undefined
  if (cert) at.tls = { certFile: cert.certFile, keyFile: cert.keyFile, disableClientCerts: true }
  if (dev.dataDir) mkdirSync(dev.dataDir, { recursive: true, mode: 0o700 })
  const options: ServerOptions = {
    storage: dev.dataDir ? { type: 'sqlite', path: devDatabase(dev.dataDir) } : { type: 'inmem' },
    listeners: [at],
    log: dev.log,
    settings: { version: reportedVaultVersion(), dev: true },
  }
  const open = openCore(options)
  const { core } = open
  const running = await listening(() => serve(open, options), {
    address: dev.address,
    setting: '-dev-listen-address=127.0.0.1:8300',
  })
  const keys = await openDev(core, dev).catch(async (error: unknown) => {
    await running.close()
    throw error instanceof DevDataError ? new CliError(error.message) : error
  })
  if (dev.storeToken) storeToken(dev.home, keys.rootToken)
  const url = urlOf(running.listeners[0]!)
  dev.write(
    `${configurationText({
      program: dev.program,
      version: versionText(dev.program),
      storage: dev.dataDir ?? 'inmem',
      listeners: running.listeners,
      logLevel: 'warn',
      workers: 1,
    })}\n${devText({
      program: commandName(dev.program),
      url,
      keys,
      dataDir: dev.dataDir,
      caFile: cert?.caFile,
      tokenStored: dev.storeToken,
    })}\n`,
  )
  await untilStopped(running, dev)
  if (cert?.temporary) rmSync(cert.folder, { recursive: true, force: true })
  return 0
}

/** How to call this program from here: in a clone it is not on the PATH. */
function commandName(program: string): string {
  const clone = program === 'coffer' && existsSync('bin/coffer') && existsSync('src/cli/main.ts')
  return clone ? 'bin/coffer' : program
}

export function versionText(program: string): string {
  return program === 'coffer' ? `coffer v${COFFER_VERSION}` : `Vault v${reportedVaultVersion()}`
}

/** Says which port is taken instead of showing a system error. */
export async function listening<T>(act: () => Promise<T>, at: Listening): Promise<T> {
  const { address, setting } = at
  try {
    return await act()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      throw new CliError(`${address} is in use by another program`, {
        hint: `stop that one, or choose another address with ${setting}`,
      })
    }
    const why = NOT_OURS[code ?? '']
    if (why === undefined) throw error
    throw new CliError(`cannot listen on ${address}: ${why}`, {
      hint: `choose another address with ${setting}`,
    })
  }
}

/** `setting` is what an operator would change: a flag, or a key of the configuration. */
type Listening = { address: string; setting: string }

const NOT_OURS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not use that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such name',
}

/** Resolves after the first SIGINT or SIGTERM, when all in flight is done; a second one cuts. */
export async function untilStopped(
  running: Pick<RunningServer, 'close' | 'reload'>,
  { program, write }: { program: string; write: (text: string) => unknown },
): Promise<void> {
  giveBackLater()
  process.on('SIGHUP', () => running.reload())
  await new Promise<void>((done) => {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(1)
        asked = true
        write(`\n==> ${program === 'coffer' ? 'coffer' : 'Vault'} shutdown triggered\n`)
        done()
      })
    }
  })
  await running.close()
}

export function parseAddress(address: string): { host: string; port: number } {
  const [, v6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535) {
    throw new CliError(`"${address}" is not an address; expected host:port, as in 127.0.0.1:8200`)
  }
  return { host: v6 ?? (name || '0.0.0.0'), port }
}

function storeToken(home: string, token: string): void {
  try {
    writeFileSync(join(home, '.vault-token'), token, { mode: 0o600 })
  } catch {
    // A read-only home is no reason not to serve; the token is printed anyway.
  }
}

async function makeCertificate(folder: string | undefined, host: string) {
  const { devCertificate } = await import('../server/dev-cert.ts')
  return devCertificate(folder, host)
}
