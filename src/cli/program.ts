/**
 * From words to an exit code: find the command, parse its flags, run it, print what went wrong.
 * This is the whole program but for the process it runs in.
 */
import { CliError, messageOf, PrintedInstead } from './cli-error.ts'
import type { Command, Context, Flags } from './command.ts'
import { commandsOf, FAMILIES, type Family } from './families.ts'
import type { Api } from './http/api.ts'
import { connectOnDemand } from './http/on-demand.ts'
import type { Io } from './io.ts'
import { printer } from './output/printer.ts'
import { checkArgs, parseArgv, parseLeading } from './parse.ts'
import {
  globalFlags,
  globalsBeside,
  type GlobalValues,
  readSettings,
  wantsColor,
} from './settings.ts'

const NO_SUCH_COMMAND = 127
const DEFECT = 'this is a defect of the program; COFFER_DEBUG=1 shows where'
const VERSION_FLAGS = new Set(['-v', '-version', '--version'])
const HELP_FLAGS = new Set(['-h', '-help', '--help'])

/** Loaded when somebody asks: most runs need no help. */
const helpPages = () => import('./help.ts')

type Run = { readonly program: string; readonly io: Io }

/** Runs one command line and gives its exit code. Never throws. */
export async function runProgram(
  program: string,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const run = { program, io }
  const plain = printer(io, { color: wantsColor(io.env), format: 'table' })
  try {
    return await dispatch(run, argv)
  } catch (error) {
    if (error instanceof PrintedInstead) {
      plain.line(error.message)
      return 0
    }
    if (error instanceof CliError) {
      plain.error(error)
      if (io.env['COFFER_DEBUG'] === '1' && error.cause instanceof Error)
        io.stderr.write(`${error.cause.stack}\n`)
      return error.exit
    }
    plain.error({
      message: `internal error: ${messageOf(error)}`,
      hint: DEFECT,
    })
    if (io.env['COFFER_DEBUG'] === '1') io.stderr.write(`${(error as Error).stack}\n`)
    return 1
  }
}

async function dispatch(run: Run, argv: readonly string[]): Promise<number> {
  const [first = ''] = argv
  if (VERSION_FLAGS.has(first)) return dispatch(run, ['version', ...argv.slice(1)])
  if (HELP_FLAGS.has(first) || first === 'help') return help(run, argv.slice(1))
  if (first === '-autocomplete-install' || first === '-autocomplete-uninstall') {
    throw new CliError('completion is installed by your shell', {
      hint: `add to ~/.bashrc: source <(${run.program} completion bash)`,
    })
  }
  // Which formats there are is the command's own to say.
  const { oneOf: _, ...format } = globalFlags.format
  const { taken } = parseLeading(argv, { ...globalFlags, format })
  const leading = argv.slice(0, taken)
  const words = argv.slice(taken)
  if (words.length === 0) {
    run.io.stderr.write(`${await overview(run)}\n`)
    return NO_SUCH_COMMAND
  }
  const found = await find(run, words)
  if (typeof found === 'number') return found
  return runCommand(run, found.command, [...leading, ...words.slice(found.command.path.length)])
}

/** Parses the flags of a command and runs it; its errors end with the code that it declares. */
export async function runCommand(
  run: Run,
  command: Command,
  argv: readonly string[],
): Promise<number> {
  try {
    return await parseAndRun(run, command, argv)
  } catch (error) {
    if (error instanceof CliError) throw explained(run, command, error)
    const { errorExit: exit } = command
    if (error instanceof PrintedInstead || exit === undefined) throw error
    const message = `internal error: ${messageOf(error)}`
    throw new CliError(message, { cause: error, exit, hint: DEFECT })
  }
}

/** Whoever got something wrong here, and is told no better, is told where it stands. */
function explained({ program }: Run, { path, errorExit }: Command, error: CliError): CliError {
  const exit = errorExit ?? error.exit
  const usage = error.exit === 1 ? `see: ${program} ${path.join(' ')} -help` : undefined
  const hint = error.hint ?? usage
  if (exit === error.exit && hint === error.hint) return error
  return new CliError(error.message, { cause: error, exit, ...(hint !== undefined && { hint }) })
}

async function parseAndRun(run: Run, command: Command, argv: readonly string[]): Promise<number> {
  const { program, io } = run
  const flags: Flags =
    command.globals === false
      ? command.flags
      : { ...globalsBeside(command.flags), ...command.flags }
  const parsed = parseArgv(argv, flags, {
    flagsFirst: command.flagsFirst === true,
    rest: command.rest !== undefined,
  })
  if (parsed.help) {
    const { commandHelp } = await helpPages()
    io.stdout.write(`${commandHelp(program, command)}\n`)
    return 0
  }
  checkArgs(command, parsed.args.length)
  const settings = readSettings(program, io, {
    ...defaults(globalFlags),
    ...parsed.values,
    // A command with formats of its own prints them itself.
    ...('format' in command.flags && { format: undefined }),
  } as GlobalValues)
  let api: Api | undefined
  const context: Context = {
    program,
    flags: parsed.values,
    given: parsed.given,
    args: parsed.args,
    rest: parsed.rest,
    settings,
    io,
    out: printer(io, settings),
    get api() {
      return (api ??= connectOnDemand(program, settings))
    },
  }
  return (await command.run(context)) ?? 0
}

function defaults(flags: Flags): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).map(([name, each]) => [name, each.default]))
}

/** The command the words name, or the exit code after saying why there is none. */
async function find(run: Run, words: readonly string[]): Promise<{ command: Command } | number> {
  const family = FAMILIES.find(({ name }) => name === words[0])
  if (family === undefined)
    return unknown(run, [], { word: words[0]!, known: ['help', ...FAMILIES.map((f) => f.name)] })
  const commands = await commandsOf(family)
  // The longest path wins: `kv metadata get` before anything called `kv metadata`.
  const matching = commands
    .filter(({ path }) => path.every((word, i) => words[i] === word))
    .sort((a, b) => b.path.length - a.path.length)
  const [command] = matching
  if (command !== undefined) return { command }
  return partial(run, commands, words)
}

/** `kv`, `kv metadata`, `kv gett`: help for the part that exists, or a suggestion. */
async function partial(
  { program, io }: Run,
  commands: readonly Command[],
  words: readonly string[],
): Promise<number> {
  let depth = 1
  const startsSo = (n: number) => (c: Command) => c.path.slice(0, n).every((w, i) => words[i] === w)
  while (commands.some((c) => c.path.length > depth + 1 && startsSo(depth + 1)(c))) depth++
  const below = commands.filter((c) => c.path.length > depth && startsSo(depth)(c))
  const path = words.slice(0, depth)
  const next = words[depth]
  if (next === undefined || HELP_FLAGS.has(next)) {
    const asked = next !== undefined
    const { groupHelp } = await helpPages()
    const sink = asked ? io.stdout : io.stderr
    sink.write(`${groupHelp(program, path, below)}\n`)
    return asked ? 0 : 1
  }
  return unknown({ program, io }, path, { word: next, known: below.map((c) => c.path[depth]!) })
}

async function unknown(
  { program, io }: Run,
  path: readonly string[],
  { word, known }: { word: string; known: readonly string[] },
): Promise<number> {
  const at = [program, ...path].join(' ')
  const { nearest } = await import('../lib/nearest.ts')
  const close = nearest(word, known)
  io.stderr.write(`unknown command: ${at} ${word}\n`)
  const hint = close === undefined ? `see: ${at} -help` : `did you mean: ${at} ${close}`
  io.stderr.write(`hint: ${hint}\n`)
  return NO_SUCH_COMMAND
}

/** `help`, `-h`, `help kv get`. */
async function help(run: Run, words: readonly string[]): Promise<number> {
  if (words.length > 0) return dispatch(run, [...words, '-help'])
  run.io.stdout.write(`${await overview(run)}\n`)
  return 0
}

async function overview({ program }: Run): Promise<string> {
  const { programHelp } = await helpPages()
  const titles = [...new Set(FAMILIES.map(({ group }) => group))]
  const entries = (title: Family['group']) => FAMILIES.filter(({ group }) => group === title)
  return programHelp(
    program,
    titles.map((title) => ({ title, entries: entries(title) })),
  )
}
