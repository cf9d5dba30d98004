/** `run`: another program, with the secrets its environment refers to, and nothing in its way. */
import { Writable } from 'node:stream'
import { createBurst } from '../../agent/burst.ts'
import { forwardSignals } from '../../agent/forward-signals.ts'
import {
  appName,
  createHolding,
  holdForProgram,
  type Holding,
  processName,
} from '../../agent/holding.ts'
import { type Env, type ResolvedEnv, resolveEnv } from '../../agent/resolve-env.ts'
import { StartError, supervise, type Supervised } from '../../agent/supervise.ts'
import { watchReferences } from '../../agent/watch-references.ts'
import { type Client, connect } from '../../client/connect.ts'
import { CofferError, ConfigError } from '../../client/errors.ts'
import { hasReference } from '../../client/reference.ts'
import { systemClock } from '../../lib/clock.ts'
import { envValues } from '../../lib/env-file.ts'
import { FORCED_BYTES_MIN } from '../../scrub/known-values.ts'
import { CliError, messageOf } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { childEnv } from '../env/child-env.ts'
import { readEnvFile } from '../env/read-env-file.ts'
import { clientOptions } from '../http/client-options.ts'
import { type Sink } from '../io.ts'

const flags = {
  'env-file': flag.list(
    'File in .env form. May be given many times: the last wins over the others, and the ' +
      'environment wins over all of them.',
    { value: 'path' },
  ),
  watch: flag.bool('Start the program again when a secret it was given has a new version.'),
  grace: flag.duration('How long the program has to end before it is killed, with -watch.', {
    default: 10,
  }),
  redact: flag.bool('Replace secret values in output that does not go to a terminal.', {
    default: true,
  }),
  'no-redact': flag.bool('The same as -redact=false.'),
  'drop-login': flag.bool(
    'Take the token and the secret id that this program logs in with out of the environment of ' +
      'the program that is run.',
  ),
}

type At = Context<typeof flags>

export const command = defineCommand({
  path: ['run'],
  summary: 'Runs a program with the secrets its environment refers to',
  help:
    'Replaces references in the environment and in files, such as ' +
    'DB_PASSWORD=vault://secret/app/db#password or ' +
    'DB_URL=postgres://app:${vault://secret/app/db#password}@db/app, by the values, for the program ' +
    'alone. If one of them cannot be resolved, all that cannot are named and nothing is started.\n\n' +
    'On a terminal the program has the terminal to itself. Output into a pipe or a file has its ' +
    `secret values replaced by [secret NAME], in whatever form they stand there (base64, JSON, a ` +
    `URL …); values under ${FORCED_BYTES_MIN} bytes stay. ` +
    'Signals are passed on. The exit code is that of the program; 128 and the number of the signal ' +
    'when a signal ended it; 126 when it cannot be run, 127 when there is no such program.\n\n' +
    'With -watch, a new version of one of the secrets ends the program (SIGTERM, then SIGKILL) and ' +
    'starts it with the new values. When they cannot be read, it runs on with the old ones.\n\n' +
    'A server that rotates one of the secrets revokes the old value when the program that has it has ' +
    'ended, and not before.',
  examples: [
    { does: 'A server with its secrets', line: 'coffer run -env-file=.env -- node server.js' },
    { does: 'And again when they change', line: 'coffer run -watch -- npm start' },
    { does: 'One reference, one command', line: "DB='vault://secret/db#url' coffer run -- env" },
  ],
  args: [{ name: 'command', help: 'The program and its arguments, as they are.', many: true }],
  flagsFirst: true,
  flags,
  exits: {
    1: 'wrong here: flags, arguments, files; or the code of the program',
    2: 'a reference was not resolved; or the code of the program',
    126: 'the program cannot be run',
    127: 'there is no such program',
  },
  async run(at) {
    warnOfArguments(at)
    const written = environment(at)
    if (!hasAny(written)) return runChild(at, { written, first: await resolveEnv(written, {}) })
    const holding = holdingOf(at)
    let connecting: Promise<Client> | undefined
    const open = async () => {
      connecting ??= connect({ ...clientOptions(at), headers: holding.headers })
      const client = await connecting
      holding.use(client)
      return client
    }
    try {
      const client = at.flags.watch ? await connected(at, open) : undefined
      const first = await resolved(at, { written, open, holding })
      // Nothing to say of it, and nothing to hear.
      if (!client && first.generations.size === 0) await (await open()).close()
      return await runChild(at, { written, first, client, holding })
    } finally {
      await holding.leave()
      await connecting?.then(
        (client) => client.close(),
        () => {},
      )
    }
  },
})

/** While the program runs, what it was given is held; that is said to a server that rotates it. */
function holdingOf({ args, io }: At): Holding {
  const isDebugged = io.env['COFFER_DEBUG'] === '1'
  return createHolding({
    instance: processName(),
    app: appName('run', args[0]),
    onQuiet: (text) => void (isDebugged && io.stderr.write(`debug: ${text}\n`)),
  })
}

/** A reference in an argument would be a secret in the list of processes, so it stays what it is. */
function warnOfArguments({ args, out }: At): void {
  const at = args.findIndex((arg, i) => i > 0 && hasReference(arg))
  if (at < 0) return
  out.warn(`argument ${at} holds a reference, which is not replaced: everyone can read arguments`)
}

const LOGIN = ['TOKEN', 'SECRET_ID', 'WRAPPED_SECRET_ID']

function environment({ flags, io }: At): Env {
  const env: Record<string, string> = Object.create(null)
  for (const path of flags['env-file']) {
    for (const [name, value] of envValues(readEnvFile(path))) env[name] = value
  }
  Object.assign(env, childEnv(io.env))
  if (flags['drop-login']) {
    for (const name of LOGIN) for (const who of OWNERS) delete env[`${who}_${name}`]
  }
  return env
}

const OWNERS = ['COFFER', 'VAULT', 'BAO']
const hasAny = (env: Env) => Object.values(env).some(hasReference)

async function connected(at: At, open: () => Promise<Client>): Promise<Client> {
  try {
    return await open()
  } catch (error) {
    throw new CliError(`cannot log in, so nothing was started: ${messageOf(error)}`, {
      cause: error,
      exit: 2,
      hint: `log in with: ${at.program} login`,
    })
  }
}

type Asked = { written: Env; open: () => Promise<Client>; holding: Holding }

async function resolved(at: At, { written, open, holding }: Asked): Promise<ResolvedEnv> {
  try {
    return await resolveEnv(written, { client: open, onRead: noting(holding) })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const lines = error.problems.map(
      ({ at, reference, reason }) => `\n  ${at}: ${reference}: ${reason}`,
    )
    const [subject, verb] = lines.length === 1 ? ['reference', 'was'] : ['references', 'were']
    const text = `${lines.length} ${subject} ${verb} not resolved, so nothing was started:${lines.join('')}`
    throw new CliError(text, { cause: error, exit: 2, hint: hintFor(at, error) })
  }
}

const noting = (holding: Holding) => (read: { path: string; generation: number | undefined }) =>
  void (read.generation !== undefined && holding.seen(new Map([[read.path, read.generation]])))

function hintFor({ program }: At, { problems }: ConfigError): string {
  const codes = new Set(
    problems.map(({ error }) => Object(error) as { code?: unknown }).map((e) => e.code),
  )
  if (codes.has('network')) return 'is the server running, and VAULT_ADDR its address?'
  if (codes.has('denied')) return `log in with ${program} login, or ask for a policy that allows it`
  return `${program} env check names what an environment lacks`
}

type Child = {
  written: Env
  first: ResolvedEnv
  /** To look for changes with. */
  client?: Client | undefined
  holding?: Holding
}

async function runChild(at: At, { written, first, client, holding }: Child): Promise<number> {
  const { flags, io, out } = at
  const redacts = flags.redact && !flags['no-redact'] && first.secrets.length > 0
  // The handlers first: a signal that comes as soon as the child is there is for the child.
  const stopForwarding = forwardSignals({
    onTerminal: [io.stdin, io.stdout, io.stderr].some(({ isTTY }) => isTTY === true),
    send: (name) => child.signal(name),
    heard: (name) => child.heard(name),
  })
  const child = supervise({
    command: at.args,
    first,
    stdout: redacts ? piped(io.stdout) : inheritable(io.stdout),
    stderr: redacts ? piped(io.stderr) : inheritable(io.stderr),
    clock: systemClock,
    graceMs: flags.grace * 1000,
    onRestart: () => out.warn('a secret has changed: started again'),
    ...(holding && holdForProgram(holding)),
  })
  const stopWatching =
    client && holding ? watch(at, { written, first, client, holding }, child) : () => {}
  try {
    return await child.ended
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    throw new CliError(error.message, { cause: error, exit: error.exit })
  } finally {
    stopWatching()
    stopForwarding()
  }
}

/** On a terminal the child gets the terminal itself: its colours, its width, its keys. */
function piped(sink: Sink): Writable | undefined {
  return sink.isTTY === true ? undefined : streamOf(sink)
}

/** Only a stream of this process can be handed on; what a test reads is written to. */
function inheritable(sink: Sink): Writable | undefined {
  return sink instanceof Writable ? undefined : streamOf(sink)
}

function streamOf(sink: Sink): Writable {
  if (sink instanceof Writable) return sink
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      sink.write(chunk.toString())
      done()
    },
  })
}

function watch(
  { out }: At,
  { written, first, client, holding }: Child & { client: Client; holding: Holding },
  child: Supervised,
): () => void {
  let current = first.env
  const burst = createBurst(systemClock, async () => {
    try {
      const next = await resolveEnv(written, { client, onRead: noting(holding) })
      const changed = Object.keys(written).some((name) => next.env[name] !== current[name])
      current = next.env
      if (changed) child.replace(next)
      else child.same(next)
    } catch (error) {
      out.warn(`still running with the values from before: ${toldSafely(error)}`)
    }
  })
  const stop = watchReferences({
    client,
    references: first.references,
    onChange: burst.poke,
    onError: (place, error) => out.warn(`cannot watch ${place}: ${toldSafely(error)}`),
  })
  return () => {
    burst.stop()
    stop()
  }
}

const toldSafely = (error: unknown) =>
  error instanceof CofferError ? error.message : 'the server could not be asked'
