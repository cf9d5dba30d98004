/** Help, derived: a command's from its declaration, a family's and the program's from the lists. */
import type { Arg, Command, Flag, Flags } from './command.ts'
import { humanDuration } from './go-text.ts'
import { wrap } from './output/table.ts'
import { globalsBeside } from './settings.ts'

const WIDTH = 80

type Listed = { readonly name: string; readonly summary: string }

/** The whole help of one command. */
export function commandHelp(program: string, command: Command): string {
  const own = command.flags
  const parts = [
    `Usage: ${usage(program, command)}`,
    indented(command.help ?? `${command.summary}.`, 2),
    section('Examples', exampleLines(program, command)),
    section('Arguments', argumentLines(command)),
    section('Options', flagLines(own)),
    command.globals === false ? '' : section('Global options', flagLines(globalsBeside(own))),
    section('Exit codes', exitLines(command)),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

/** `coffer kv`: what is below it. */
export function groupHelp(
  program: string,
  path: readonly string[],
  below: readonly Command[],
): string {
  const at = [program, ...path].join(' ')
  const entries = below.map((command) => ({
    name: command.path.slice(path.length).join(' '),
    summary: command.summary,
  }))
  return [
    `Usage: ${at} <subcommand> [options] [args]`,
    section('Subcommands', listLines(entries)),
    indented(`Run "${at} <subcommand> -help" for the options and examples of one.`, 2),
  ].join('\n\n')
}

/** `coffer`: every family in the order of the list, the everyday ones first. */
export function programHelp(
  program: string,
  groups: readonly { title: string; entries: readonly Listed[] }[],
): string {
  return [
    `Usage: ${program} <command> [options] [args]`,
    ...groups.map(({ title, entries }) => section(title, listLines(entries))),
    indented(`Run "${program} <command> -help" for the options and examples of one.`, 2),
  ].join('\n\n')
}

function usage(program: string, command: Command): string {
  const words = [program, ...command.path]
  if (Object.keys(command.flags).length > 0 || command.globals !== false) words.push('[options]')
  for (const arg of command.args ?? []) words.push(argWord(arg))
  if (command.rest !== undefined) words.push(`-- ${command.rest.name}`)
  return words.join(' ')
}

function argWord({ name, optional, many }: Arg): string {
  const word = many === true ? `<${name}>…` : `<${name}>`
  return optional === true ? `[${word}]` : word
}

function exampleLines(program: string, command: Command): string[] {
  const lines: string[] = []
  for (const { does, line } of command.examples ?? []) {
    if (lines.length > 0) lines.push('')
    lines.push(`${does}:`, `    $ ${line.replace(/\bcoffer\b/g, program)}`)
  }
  return lines
}

function argumentLines(command: Command): string[] {
  const all = [...(command.args ?? []), ...(command.rest === undefined ? [] : [command.rest])]
  return listLines(all.map(({ name, help }) => ({ name, summary: help })))
}

function flagLines(flags: Flags): string[] {
  const lines: string[] = []
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.hidden === true) continue
    const names = [name, ...(flag.alias ?? [])].map((each) => `-${each}`).join(', ')
    lines.push(`${names}${valueWord(flag)}`, indented(flagHelp(flag), 4, WIDTH - 6))
  }
  return lines
}

function valueWord(flag: Flag): string {
  if (flag.kind === 'bool') return ''
  const kinds = {
    string: 'string',
    int: 'int',
    duration: 'duration',
    list: 'string',
    map: 'key=value',
  }
  return `=<${flag.value ?? flag.oneOf?.join('|') ?? kinds[flag.kind]}>`
}

function flagHelp(flag: Flag): string {
  if (flag.refuse !== undefined) return `Not supported: ${flag.refuse}.`
  const value = flag.default
  const plain = typeof value === 'string' || typeof value === 'number' || value === true
  if (!plain || value === '') return flag.help
  const shown = flag.kind === 'duration' ? humanDuration(Number(value)) : String(value)
  return `${flag.help} Default: ${shown}.`
}

function exitLines(command: Command): string[] {
  const codes: Record<number, string> = {
    0: 'done',
    1: 'wrong here: flags, arguments, files',
    2: 'the server refused, has no such thing, or could not be reached',
    ...command.exits,
  }
  if (command.globals === false && command.exits?.[2] === undefined) delete codes[2]
  return Object.entries(codes).map(([code, means]) => `${code}  ${means}`)
}

function listLines(entries: readonly Listed[]): string[] {
  const widest = Math.max(0, ...entries.map(({ name }) => name.length))
  return entries.flatMap(({ name, summary }) => {
    const [first = '', ...more] = wrap(summary, WIDTH - widest - 6).split('\n')
    const padding = ' '.repeat(widest + 4)
    return [`${name.padEnd(widest)}    ${first}`, ...more.map((line) => padding + line)]
  })
}

function section(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return `${title}:\n\n${lines.map((line) => (line === '' ? '' : `  ${line}`.replaceAll('\n', '\n  '))).join('\n')}`
}

function indented(text: string, by: number, width = WIDTH): string {
  const space = ' '.repeat(by)
  return wrap(text, width - by)
    .split('\n')
    .map((line) => (line === '' ? '' : space + line))
    .join('\n')
}
