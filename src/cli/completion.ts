/**
 * Completion for bash and zsh, derived from the declarations: which words may follow, which flags
 * a command has. The script is a table and a small loop, so a shell asks no program on each Tab.
 */
import type { Command } from './command.ts'
import { globalsBeside } from './settings.ts'
import type { Flags } from './flag.ts'

export const SHELLS = ['bash', 'zsh'] as const
export type Shell = (typeof SHELLS)[number]

/** A script to be sourced. */
export function completionScript(
  shell: Shell,
  program: string,
  commands: readonly Command[],
): string {
  const body = bash(program, commands)
  // zsh runs bash's completion functions once it is asked to.
  const setup =
    'autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit\n'
  return shell === 'zsh' ? `#compdef ${program}\n${setup}${body}` : body
}

function bash(program: string, commands: readonly Command[]): string {
  const name = `_${program}_complete`
  return `# ${program}: completion for the shell. Use: source <(${program} completion bash)
${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path="" word next i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in -*) continue ;; esac
    next="\${path:+$path }$word"
    case $next in
      ${knownPaths(commands).map(quoted).join(' | ')}) path=$next ;;
      *) break ;;
    esac
  done
  local words="" flags=""
  case $path in
${rows(commands)}
  esac
  case $cur in
    -*)
      COMPREPLY=($(compgen -W "$flags" -- "$cur"))
      [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
      ;;
    *)
      COMPREPLY=($(compgen -W "$words" -- "$cur"))
      [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$cur"))
      ;;
  esac
}
complete -o nosort -F ${name} ${program} 2>/dev/null || complete -F ${name} ${program}
`
}

/** Every path and every beginning of one: `kv`, `kv metadata`, `kv metadata get`. */
function knownPaths(commands: readonly Command[]): string[] {
  const paths = commands.flatMap(({ path }) => path.map((_, i) => path.slice(0, i + 1).join(' ')))
  return [...new Set(paths)]
}

function rows(commands: readonly Command[]): string {
  const lines: string[] = []
  for (const path of ['', ...knownPaths(commands)]) {
    const depth = path === '' ? 0 : path.split(' ').length
    const inside = commands.filter((c) => depth === 0 || c.path.slice(0, depth).join(' ') === path)
    const words = new Set(inside.flatMap((c) => c.path.slice(depth, depth + 1)))
    const exact = inside.find((c) => c.path.length === depth)
    const flags = exact === undefined ? ['-help'] : flagWords(exact)
    lines.push(`    ${quoted(path)}) words="${[...words].join(' ')}" flags="${flags.join(' ')}" ;;`)
  }
  return lines.join('\n')
}

function flagWords(command: Command): string[] {
  const all: Flags =
    command.globals === false
      ? command.flags
      : { ...command.flags, ...globalsBeside(command.flags) }
  const shown = Object.entries(all).filter(
    ([, flag]) => flag.hidden !== true && flag.refuse === undefined,
  )
  return [
    '-help',
    ...shown.map(([name, flag]) => (flag.kind === 'bool' ? `-${name}` : `-${name}=`)),
  ]
}

function quoted(text: string): string {
  return `"${text}"`
}
