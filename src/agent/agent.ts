/**
 * The agent: logs in and stays so, keeps files with tokens and secrets up to date, runs a program
 * with secrets in its environment, answers as a server nearby. Which of these, the configuration says.
 */
import { resolve as resolvePath } from 'node:path'
import { type Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Login } from '../client/auth.ts'
import { type Client, connect, type ConnectOptions } from '../client/connect.ts'
import { CofferError } from '../client/errors.ts'
import { type Clock } from '../lib/clock.ts'
import { agentAuth } from './auth-methods.ts'
import { createBurst } from './burst.ts'
import { type AgentConfig, type TemplateConfig } from './config.ts'
import { forwardSignals } from './forward-signals.ts'
import {
  addGeneration,
  appName,
  createHolding,
  filesName,
  holdForFiles,
  holdForProgram,
  type Holding,
  processName,
} from './holding.ts'
import { type Env, type ResolvedEnv } from './resolve-env.ts'
import { renderOne, RenderError, runCommand } from './render-templates.ts'
import { createSecretSource, type SecretSource } from './secret-source.ts'
import { writeSink } from './sinks.ts'
import { supervise, type Supervised } from './supervise.ts'
import { removeLeftovers, writeWhole } from './write-file.ts'

export type AgentOptions = {
  readonly config: AgentConfig
  readonly connectOptions: ConnectOptions
  readonly clock: Clock
  readonly env: Env
  /** Where the program's output goes; undefined hands it our own. */
  readonly stdout: Writable | undefined
  readonly stderr: Writable | undefined
  readonly onTerminal: boolean
  /** A line for the log: never with a value in it. */
  readonly log: (text: string) => void
  /** Ends the agent; a program it runs is ended first. */
  readonly signal: AbortSignal
}

/** The agent cannot go on; the text says why. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
}

const RENDER_TRIES = 12
const HEARTBEAT_MS = 30_000

/** Runs until it is stopped, or has nothing more to do; gives the exit code. */
export async function runAgent(options: AgentOptions, proxy: ProxyStart): Promise<number> {
  const { config } = options
  for (const { path } of config.sinks) await removeLeftovers(path)
  for (const { destination } of config.templates) await removeLeftovers(destination)
  const state: State = { onLogin: () => {} }
  // Between two looks nothing else may be there to keep the process alive.
  const hold = setInterval(() => {}, 60_000)
  try {
    return await work(options, proxy, state)
  } finally {
    clearInterval(hold)
  }
}

async function work(options: AgentOptions, proxy: ProxyStart, state: State): Promise<number> {
  const { config, signal } = options
  const holding = holdingOf(options)
  const client = config.method ? await logIn(options, state, holding) : undefined
  if (client) holding.use(client)
  const stopProxy = config.listeners.length > 0 ? await proxy(client) : undefined
  try {
    if (client) await keepSinks(options, client, state)
    if (client && config.envTemplates.length > 0)
      return await runProgram(options, { client, state, holding })
    const source =
      client && config.templates.length > 0
        ? await keepFiles(options, { client, state, holding })
        : undefined
    if (config.exitAfterAuth && client) {
      source?.close()
      return 0
    }
    await untilAborted(signal)
    source?.close()
    return 0
  } finally {
    await stopProxy?.()
    await (config.exec ? holding.leave() : holding.close())
    await client?.close()
  }
}

/** Starts the listeners, and gives what ends them. */
export type ProxyStart = (client: Client | undefined) => Promise<() => Promise<void>>

function holdingOf({ config, log }: AgentOptions): Holding {
  const { exec, templates } = config
  const files = templates.map(({ destination }) => resolvePath(destination))
  return createHolding({
    instance: exec ? processName() : filesName(files),
    app: appName('agent', exec?.command[0]),
    onQuiet: log,
  })
}

type State = { onLogin: (login: Login) => void }

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise<void>((done) => {
    if (signal.aborted) return done()
    signal.addEventListener('abort', () => done(), { once: true })
  })
}

const saidOf = (error: unknown) =>
  error instanceof CofferError || error instanceof RenderError
    ? error.message
    : ((error as NodeJS.ErrnoException | undefined)?.code ?? 'it failed')

async function logIn(
  options: AgentOptions,
  state: State,
  { headers }: Pick<Holding, 'headers'>,
): Promise<Client> {
  const { config, log, signal } = options
  const method = config.method!
  const auth = agentAuth(method, (login) => {
    log(`logged in with ${method.type}`)
    state.onLogin(login)
  })
  for (let seconds = method.minBackoffSeconds; ;) {
    try {
      const client: Client = await connect({
        ...options.connectOptions,
        headers,
        auth,
        signal,
        onError(error) {
          log(`the token could not be kept alive: ${saidOf(error)}`)
          heartbeat(options, () => client)
        },
      })
      return client
    } catch (error) {
      if (signal.aborted) throw new AgentError('stopped before the first login', { cause: error })
      log(`the login failed: ${saidOf(error)}`)
      if (method.exitOnError)
        throw new AgentError('the login failed, and exit_on_err is set', { cause: error })
    }
    await sleep(seconds * 1000, undefined, { signal }).catch(() => {})
    seconds = Math.min(method.maxBackoffSeconds, seconds * 2)
  }
}

/** Calls with a dead token make the client log in anew; so one is made now and then, until it works. */
function heartbeat(options: AgentOptions, client: () => Client): void {
  const again = () =>
    options.clock.after(HEARTBEAT_MS, () => {
      if (options.signal.aborted) return
      client()
        .read('auth/token/lookup-self', { background: true })
        .catch(() => {})
        .finally(again)
    })
  again()
}

async function keepSinks(
  { config, log }: AgentOptions,
  client: Client,
  state: State,
): Promise<void> {
  const write = async () => {
    for (const sink of config.sinks) {
      try {
        await writeSink(client, sink, client.token)
      } catch (error) {
        log(`the sink ${sink.path} could not be written: ${saidOf(error)}`)
        if (config.exitAfterAuth)
          throw new AgentError('a sink could not be written', { cause: error })
      }
    }
  }
  await write()
  // The client has the new token when the login is over, which is a moment after it is told.
  state.onLogin = () => void setImmediate(() => void write())
}

type At = { client: Client; state: State; holding: Holding }

function sourceOf(
  options: AgentOptions,
  { client, state, holding }: At,
  onChange: () => void,
): SecretSource {
  const { config, clock, env, log } = options
  const source = createSecretSource({
    ...{ client, clock, env, onChange, random: Math.random, onRead: (read) => holding.seen(read) },
    refreshSeconds: config.renderSeconds,
    onError: (path, error) => log(`${path} could not be read again: ${saidOf(error)}`),
  })
  const sinks = state.onLogin
  state.onLogin = (login) => {
    sinks(login)
    source.renewed()
  }
  return source
}

/** Tries again with growing pauses what the server may answer later. */
async function patiently<T>(
  { config, log, signal }: AgentOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      log(saidOf(error))
      const final = error instanceof RenderError && error.final
      const spent = tries >= RENDER_TRIES && (config.exitOnRenderFailure || config.exitAfterAuth)
      if (final || spent || signal.aborted)
        throw new AgentError('a template could not be rendered', { cause: error })
      await sleep(Math.min(60_000, 250 * 2 ** tries), undefined, { signal }).catch(() => {})
    }
  }
}

async function keepFiles(options: AgentOptions, at: At): Promise<SecretSource> {
  const { config, clock, log } = options
  const held = holdForFiles(
    at.holding,
    config.templates.map(({ destination }) => destination),
  )
  const renderAll = async () => {
    for (const template of config.templates) {
      const { destination, command } = template
      const { text, used } = await renderOne(template, source)
      if (await place(template, text)) {
        held.written(destination, used, await follow(options, template))
      } else held.same(destination, used, command !== undefined)
    }
  }
  const burst = createBurst(clock, async () => {
    try {
      await renderAll()
    } catch (error) {
      log(`the file stays as it is: ${saidOf(error)}`)
    }
  })
  const source = sourceOf(options, at, () => burst.poke())
  await patiently(options, renderAll)
  return source
}

function place(template: TemplateConfig, text: string): Promise<boolean> {
  const { destination, mode, makesFolders, backup } = template
  return writeWhole(destination, text, { mode, makesFolders, backup })
}

/** Gives what is wrong with the command. */
async function follow(
  { env, log }: AgentOptions,
  template: TemplateConfig,
): Promise<string | undefined> {
  log(`wrote ${template.destination}`)
  const trouble = await runCommand(template, env)
  if (trouble !== undefined) log(`the command of ${template.destination} ${trouble}`)
  return trouble
}

/** The program lives and dies with the agent, as under `run`. */
async function runProgram(options: AgentOptions, at: At): Promise<number> {
  const { config, clock, log, signal } = options
  const { command, restarts, stopSignal } = config.exec!
  const resolve = async (): Promise<ResolvedEnv> => {
    const env: Record<string, string> = Object.assign(Object.create(null), options.env)
    const secrets = []
    const generations = new Map<string, number>()
    for (const template of config.envTemplates) {
      const { text: value, used } = await renderOne(template, source)
      for (const [path, generation] of used) addGeneration(generations, { path, generation })
      if (value.includes('\0'))
        throw new AgentError(`${template.destination} has a null character in it`)
      env[template.destination] = value
      secrets.push({ value, name: template.destination })
    }
    return { env, secrets, references: [], generations }
  }
  const burst = createBurst(clock, async () => {
    try {
      const next = await resolve()
      const names = config.envTemplates.map(({ destination }) => destination)
      if (names.every((name) => next.env[name] === current.env[name])) return child.same(next)
      if (!restarts) return
      current = next
      child.replace(next)
    } catch (error) {
      log(`still running with the values from before: ${saidOf(error)}`)
    }
  })
  const source = sourceOf(options, at, () => burst.poke())
  let current = await patiently(options, resolve)
  const stop = forwardSignals({
    onTerminal: options.onTerminal,
    send: (name) => child.signal(name),
    heard: (name) => child.heard(name),
  })
  const child: Supervised = supervise({
    ...{
      command,
      clock,
      stopSignal,
      first: current,
      stdout: options.stdout,
      stderr: options.stderr,
    },
    graceMs: 30_000,
    onRestart: () => log('a secret has changed: started the program again'),
    ...holdForProgram(at.holding),
  })
  signal.addEventListener('abort', () => child.signal('SIGTERM'), { once: true })
  try {
    return await child.ended
  } finally {
    stop()
    burst.stop()
    source.close()
  }
}
