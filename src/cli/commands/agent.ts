/** `agent`: stays logged in, and keeps files, programs and a listener supplied with secrets. */
import { readFileSync, writeFileSync, rmSync } from 'node:fs'
import { Writable } from 'node:stream'
import { AgentError, runAgent } from '../../agent/agent.ts'
import { type AgentConfig, readAgentConfig } from '../../agent/config.ts'
import { AgentConfigError } from '../../agent/config-read.ts'
import { startProxy } from '../../agent/proxy.ts'
import { StartError } from '../../agent/supervise.ts'
import { type ConnectOptions } from '../../client/connect.ts'
import { type TlsOptions } from '../../client/transport.ts'
import { systemClock } from '../../lib/clock.ts'
import { CliError } from '../cli-error.ts'
import { whyUnreadable } from '../unreadable.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { childEnv } from '../env/child-env.ts'
import { type Sink } from '../io.ts'
import { DEFAULT_ADDRESS, lookup } from '../settings.ts'

const flags = {
  config: flag.string('The configuration file, in Vault Agent’s language.', { value: 'path' }),
  'exit-after-auth': flag.bool('End after the first login, when sinks and templates are written.'),
  'log-level': flag.string('Accepted; there is one level.', { hidden: true }),
  check: flag.bool('Read the configuration, say whether it is right, and do nothing.'),
}

type At = Context<typeof flags>

export const command = defineCommand({
  path: ['agent'],
  summary: 'Logs in for a machine and keeps its secrets up to date',
  help:
    'Logs in by AppRole, Kubernetes, a certificate or a token in a file, renews its token, and logs ' +
    'in again when that ends. Writes the token to files (sinks) and secrets into files (templates), ' +
    'whole or not at all; or runs a program with secrets in its environment; or listens and hands ' +
    'requests on to the server. The address and TLS come from flags, then from ' +
    'variables, then from the file. SIGTERM ends it.',
  examples: [
    { does: 'With a configuration', line: 'coffer agent -config=agent.hcl' },
    { does: 'Once, before a program starts', line: 'coffer agent -config=a.hcl -exit-after-auth' },
    { does: 'Is the configuration right', line: 'coffer agent -config=agent.hcl -check' },
  ],
  flags,
  exits: {
    1: 'wrong configuration, or it cannot go on; or the code of the program',
    2: 'the code of the program',
  },
  async run(at) {
    const file = at.flags.config
    if (file === undefined) throw new CliError('-config is missing', { hint: '-config=agent.hcl' })
    const read = configured(file)
    if (at.flags.check) return at.out.line(`${file} is right`)
    const config = at.flags['exit-after-auth'] ? { ...read, exitAfterAuth: true } : read
    const stopping = new AbortController()
    const stop = () => stopping.abort()
    const signals = ['SIGTERM', 'SIGINT'] as const
    // A program that is run gets the signals itself, and its end is the agent's.
    if (!config.exec) for (const name of signals) process.on(name, stop)
    if (config.pidFile !== undefined)
      writeFileSync(config.pidFile, `${process.pid}\n`, { mode: 0o644 })
    try {
      return await started(at, config, stopping)
    } catch (error) {
      if (error instanceof StartError)
        throw new CliError(error.message, { cause: error, exit: error.exit })
      if (!(error instanceof AgentError)) throw error
      if (stopping.signal.aborted) return 0
      throw new CliError(error.message, { cause: error })
    } finally {
      for (const name of signals) process.off(name, stop)
      if (config.pidFile !== undefined) rmSync(config.pidFile, { force: true })
    }
  },
})

function configured(file: string): AgentConfig {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (cause) {
    const why = whyUnreadable(cause)
    throw new CliError(`cannot read the configuration "${file}": ${why}`, { cause })
  }
  try {
    return readAgentConfig(file, source)
  } catch (error) {
    if (error instanceof AgentConfigError) throw new CliError(error.message, { cause: error })
    throw error
  }
}

function started(at: At, config: AgentConfig, stopping: AbortController): Promise<number> {
  const { io } = at
  const log = (text: string) => void io.stderr.write(`${new Date().toISOString()} agent: ${text}\n`)
  const { address, tls, namespace } = serverOf(at, config)
  const connectOptions: ConnectOptions = {
    ...{ address, tls, namespace, env: io.env },
    ...(config.server.tries === undefined ? {} : { tries: config.server.tries }),
  }
  const { ca, cert, key, serverName } = tls
  const parts = { ca, cert, key, servername: serverName }
  const toServer = Object.fromEntries(
    Object.entries(parts).filter(([, value]) => value !== undefined),
  )
  const proxy = {
    ...{ config, namespace, log, clock: systemClock },
    ...{ address: new URL(address), tls: toServer, quit: () => stopping.abort() },
  }
  return runAgent(
    {
      ...{ config, connectOptions, log, clock: systemClock },
      env: childEnv(io.env),
      stdout: redactable(io.stdout),
      stderr: redactable(io.stderr),
      onTerminal: [io.stdin, io.stdout, io.stderr].some(({ isTTY }) => isTTY === true),
      signal: stopping.signal,
    },
    (client) => startProxy(proxy, client),
  )
}

const redactable = (sink: Sink) =>
  sink.isTTY !== true && sink instanceof Writable ? sink : undefined

type Server = { address: string; tls: TlsOptions; namespace: string }

/** Flags win over variables, and those over the file. */
function serverOf({ settings, io, program, given }: At, config: AgentConfig): Server {
  const { server, method } = config
  if (settings.tls.skipVerify || settings.tls.caPath !== undefined) {
    throw new CliError('the agent knows neither -tls-skip-verify nor -ca-path', {
      hint: 'name the authority with ca_cert in the vault block, or -ca-cert',
    })
  }
  const own = method?.type === 'cert' ? method : undefined
  const ca = own?.caCert ?? settings.tls.caCert ?? server.caCert
  const cert = own?.clientCert ?? settings.tls.clientCert ?? server.clientCert
  const key = own?.clientKey ?? settings.tls.clientKey ?? server.clientKey
  const serverName = settings.tls.serverName ?? server.serverName
  const said = given.has('address') || lookup(io.env, program)('ADDR') !== undefined
  const address = said ? settings.address : (server.address ?? DEFAULT_ADDRESS)
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new CliError('the address must look like https://host:8200', {
      hint: `it is vault { address = "…" } in ${config.file}; without it ${DEFAULT_ADDRESS}`,
    })
  }
  return {
    address,
    namespace: settings.namespace ?? server.namespace ?? '',
    tls: {
      ...(ca === undefined ? {} : { ca: pem(ca) }),
      ...(cert === undefined ? {} : { cert: pem(cert) }),
      ...(key === undefined ? {} : { key: pem(key) }),
      ...(serverName === undefined ? {} : { serverName }),
    },
  }
}

function pem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CliError(`cannot read ${path}: ${whyUnreadable(cause)}`, { cause })
  }
}
