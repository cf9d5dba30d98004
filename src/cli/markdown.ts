/** The reference of the commands as Markdown, from the same declarations as their help. */
import type { Command, Flag, Flags } from './command.ts'
import { commandsOf, FAMILIES } from './families.ts'
import { humanDuration } from './go-text.ts'
import { globalFlags } from './settings.ts'

/** The whole page. The order is that of the list of families, so the page only changes with them. */
export async function cliMarkdown(): Promise<string> {
  const parts = [
    '# Commands',
    'Every command also explains itself: `coffer <command> -help`. Started under the name `vault` ' +
      'or `bao`, the program is the same. Exit codes are 0 for done, 1 for a mistake here, 2 for a ' +
      'refusal of the server, unless a command says otherwise.',
    '## Global options',
    flagTable(globalFlags),
  ]
  for (const family of FAMILIES) {
    parts.push(`## ${family.name}`, `${family.summary}.`)
    const commands = await commandsOf(family)
    for (const command of commands) parts.push(...commandParts(command))
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function commandParts(command: Command): string[] {
  const name = command.path.join(' ')
  const words = (command.args ?? []).map(({ name: arg, optional, many }) => {
    const word = `<${arg}>${many === true ? '…' : ''}`
    return optional === true ? `[${word}]` : word
  })
  const rest = command.rest === undefined ? [] : [`-- ${command.rest.name}`]
  const usage = ['coffer', name, '[options]', ...words, ...rest].join(' ')
  const examples = (command.examples ?? [])
    .map(({ does, line }) => `# ${does}\n${line}`)
    .join('\n\n')
  const exits = Object.entries(command.exits ?? {}).map(([code, means]) => `- ${code}: ${means}`)
  return [
    `### ${name}`,
    command.help ?? `${command.summary}.`,
    fenced('text', usage),
    fenced('sh', examples),
    flagTable(command.flags),
    exits.length === 0 ? '' : `Exit codes:\n\n${exits.join('\n')}`,
  ]
}

function flagTable(flags: Flags): string {
  const shown = Object.entries(flags).filter(([, flag]) => flag.hidden !== true)
  if (shown.length === 0) return ''
  const rows = shown.map(([name, flag]) => {
    const names = [name, ...(flag.alias ?? [])].map((each) => `\`-${each}\``).join(', ')
    return `| ${names} | ${flag.kind} | ${cell(flag)} |`
  })
  return ['| Option | Kind | What it does |', '| --- | --- | --- |', ...rows].join('\n')
}

function cell(flag: Flag): string {
  const text = flag.refuse === undefined ? flag.help : `Not supported: ${flag.refuse}.`
  const value = flag.default
  const plain = typeof value === 'string' || typeof value === 'number' || value === true
  const shown = flag.kind === 'duration' ? humanDuration(Number(value)) : String(plain && value)
  return `${text}${plain && value !== '' ? ` Default: ${shown}.` : ''}`.replaceAll('|', '\\|')
}

function fenced(language: string, text: string): string {
  return text === '' ? '' : `\`\`\`${language}\n${text}\n\`\`\``
}
