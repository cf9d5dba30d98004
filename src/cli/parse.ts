/**
 * Go-style flags: `-flag value`, `-flag=value`, `--flag`, `-bool`, `-bool=false`. What was typed
 * becomes typed values here; no message ever quotes a value, because it may be a secret.
 */
import { CliError } from './cli-error.ts'
import type { Arg, Command } from './command.ts'
import type { Flag, Flags } from './flag.ts'
import { parseDuration } from './go-text.ts'
import { nearest } from '../lib/nearest.ts'

export type Parsed = {
  readonly values: Record<string, unknown>
  readonly given: Set<string>
  readonly args: string[]
  readonly rest: string[]
  readonly help: boolean
}

type Collector = { flags: Flags; byName: ReadonlyMap<string, string>; parsed: Parsed }

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])
const HELP = new Set(['h', 'help'])

/** The command's flags and its arguments, in whatever order they came. */
export function parseArgv(
  argv: readonly string[],
  flags: Flags,
  options: { flagsFirst?: boolean; rest?: boolean } = {},
): Parsed {
  const c = collector(flags)
  const { parsed } = c
  for (let at = 0; at < argv.length;) {
    const word = argv[at] ?? ''
    if (word === '--') {
      ;(options.rest === true ? parsed.rest : parsed.args).push(...argv.slice(at + 1))
      break
    }
    if (isFlag(word)) {
      at += takeFlag(c, word, argv[at + 1])
    } else if (options.flagsFirst === true) {
      // `run npm test -- -v`: the words belong to another program, dashes and all.
      parsed.args.push(...argv.slice(at))
      break
    } else {
      parsed.args.push(word)
      at++
    }
  }
  return parsed
}

/** Flags before the first word, for `vault -address=… status`: how many words they took. */
export function parseLeading(argv: readonly string[], flags: Flags): { taken: number } {
  const c = collector(flags)
  let taken = 0
  while (taken < argv.length && isFlag(argv[taken] ?? '')) {
    taken += takeFlag(c, argv[taken] ?? '', argv[taken + 1])
    if (c.parsed.help) break
  }
  return { taken }
}

/** Throws when there are too few or too many arguments, in Vault's words. */
export function checkArgs(command: Command, got: number): void {
  const args: readonly Arg[] = command.args ?? []
  const least = args.filter((arg) => arg.optional !== true).length
  const most = args.at(-1)?.many === true ? Infinity : args.length
  const expected =
    least === most ? `${least}` : most === Infinity ? `>${least - 1}` : `${least}-${most}`
  if (got >= least && got <= most) return
  const kind = got < least ? 'Not enough' : 'Too many'
  throw new CliError(`${kind} arguments (expected ${expected}, got ${got})`)
}

function collector(flags: Flags): Collector {
  const byName = new Map<string, string>()
  for (const [name, { alias }] of Object.entries(flags)) {
    for (const each of [name, ...(alias ?? [])]) byName.set(each, name)
  }
  const values: Record<string, unknown> = {}
  for (const [name, each] of Object.entries(flags)) values[name] = each.default
  return { flags, byName, parsed: { values, given: new Set(), args: [], rest: [], help: false } }
}

/** `-` alone is standard input, and a word with a space is data (`-----BEGIN …`), never a flag. */
function isFlag(word: string): boolean {
  return /^--?[a-zA-Z][\w-]*(=|$)/.test(word)
}

/** Reads one flag and says how many words it took. */
function takeFlag(c: Collector, word: string, next: string | undefined): number {
  const equals = word.indexOf('=')
  const typed = (equals < 0 ? word : word.slice(0, equals)).replace(/^--?/, '')
  const name = c.byName.get(typed)
  if (name === undefined) {
    if (HELP.has(typed)) {
      Object.assign(c.parsed, { help: true })
      return 1
    }
    const close = nearest(typed, c.byName.keys())
    throw new CliError(`flag provided but not defined: -${typed}`, {
      ...(close === undefined ? {} : { hint: `did you mean -${close}?` }),
    })
  }
  const flag = c.flags[name]!
  if (flag.refuse !== undefined) throw new CliError(`-${typed}: ${flag.refuse}`)
  const inline = equals < 0 ? undefined : word.slice(equals + 1)
  if (flag.kind === 'bool') {
    store(c, name, inline ?? 'true')
    return 1
  }
  const value = inline ?? next
  if (value === undefined) throw new CliError(`flag needs an argument: -${typed}`)
  store(c, name, value)
  return inline === undefined ? 2 : 1
}

function store({ flags, parsed }: Collector, name: string, text: string): void {
  const flag = flags[name]!
  const first = !parsed.given.has(name)
  parsed.given.add(name)
  const value = readValue(name, flag, text)
  const before = parsed.values[name]
  if (flag.kind === 'list') {
    parsed.values[name] = first ? [value] : [...(before as unknown[]), value]
  } else if (flag.kind === 'map') {
    const kept = first ? {} : before
    parsed.values[name] = Object.assign({}, kept, value)
  } else {
    parsed.values[name] = value
  }
}

function readValue(name: string, flag: Flag, text: string): unknown {
  const bad = (right: string) => new CliError(`invalid value for -${name}: it must be ${right}`)
  if (flag.oneOf !== undefined && !flag.oneOf.includes(text)) {
    throw bad(`one of ${flag.oneOf.join(', ')}`)
  }
  switch (flag.kind) {
    case 'bool':
      if (!TRUE.has(text) && !FALSE.has(text)) throw bad('true or false')
      return TRUE.has(text)
    case 'int':
      if (!/^[+-]?\d{1,15}$/.test(text)) throw bad('a whole number')
      return Number(text)
    case 'duration': {
      const seconds = parseDuration(text)
      if (seconds === undefined) throw bad('a duration like 30s, 15m or 768h')
      return seconds
    }
    case 'map': {
      const equals = text.indexOf('=')
      if (equals < 1) throw bad('of the form key=value')
      return { [text.slice(0, equals)]: text.slice(equals + 1) }
    }
    case 'string':
    case 'list':
      return text
    default:
      return flag.kind satisfies never
  }
}
