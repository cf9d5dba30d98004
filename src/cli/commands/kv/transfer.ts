/** `kv mv` and `kv cp`: secrets and folders to another place, with all their versions. */
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { readLine } from '../../io.ts'
import { underMount } from './place.ts'

const flags = {
  recursive: flag.bool('A folder, with everything below it.', { alias: ['r'] }),
  overwrite: flag.bool('Replace what is at the target, with all its versions.'),
  cas: flag.int('Replace the target only if this is its newest version.'),
  'newest-only': flag.bool('To a mount of version 1: leave all older versions behind.'),
  'dry-run': flag.bool('Only show what would be done.', { alias: ['n'] }),
  force: flag.bool('Do not ask, also when it is about many.', { alias: ['f'] }),
  mount: flag.string('Mount of both paths, which are then below it.'),
}
const args = [
  { name: 'from', help: 'The secret, or with -r the folder.' },
  { name: 'to', help: 'Where it shall be.' },
] as const
const ABOUT =
  'All of it or nothing, in one step on the server: every version, its times and the metadata. ' +
  'What you may not see stays where it is; what you see and may not take fails the whole. Nothing ' +
  'is overwritten unless -overwrite or -cas says so.'

export const move = defineCommand({
  path: ['kv', 'mv'],
  summary: 'Moves a secret or a folder, with all versions',
  help: ABOUT,
  examples: [
    { does: 'Another name', line: 'coffer kv mv secret/app/db secret/app/database' },
    { does: 'A folder to another mount', line: 'coffer kv mv -r secret/app/ team/app/' },
    { does: 'What would be moved', line: 'coffer kv mv -r -dry-run secret/app/ team/app/' },
  ],
  args: [...args],
  flags,
  run: (at) => transfer(at, 'move'),
})

export const copy = defineCommand({
  path: ['kv', 'cp'],
  summary: 'Copies a secret or a folder, with all versions',
  help: ABOUT,
  examples: [
    { does: 'A copy beside it', line: 'coffer kv cp secret/app/db secret/app/db-old' },
    { does: 'Over what is there', line: 'coffer kv cp -overwrite secret/app/db team/db' },
    { does: 'To version 1', line: 'coffer kv cp -newest-only secret/app/db kv/db' },
  ],
  args: [...args],
  flags,
  run: (at) => transfer(at, 'copy'),
})

type At = Context<typeof flags>
type Pair = { from: string; to: string }

/** More than so many are shown first and asked about, where there is somebody to ask. */
const ASKED_ABOVE = 10
const DONE = { move: 'Moved', copy: 'Copied' }

async function transfer(at: At, word: 'move' | 'copy'): Promise<number | void> {
  const [from, to] = at.args.map((each) => underMount(at.flags.mount, each)) as [string, string]
  const dry = at.flags['dry-run']
  const asks = at.flags.recursive && !dry && !at.flags.force && isAttended(at)
  if (asks) {
    const { length } = await ask(at, word, { from, to, dry: true })
    const question = `${word === 'move' ? 'Move' : 'Copy'} ${length} secrets to ${to}? (yes/no): `
    if (length > ASKED_ABOVE && !(await confirmed(at, question))) {
      throw new CliError('nothing was changed')
    }
  }
  const pairs = await ask(at, word, { from, to, dry })
  if (!at.out.tabular) return at.out.structured(pairs)
  for (const pair of pairs) at.out.line(shown(pair))
  const count = `${pairs.length} ${pairs.length === 1 ? 'secret' : 'secrets'}`
  at.out.line(dry ? `Would ${word} ${count}` : `Success! ${DONE[word]} ${count}`)
}

/** On one line if it fits, else the target on the next. */
function shown({ from, to }: Pair): string {
  const line = `${from} -> ${to}`
  return line.length <= 80 ? line : `${from}\n  -> ${to}`
}

const isAttended = ({ settings, io, out }: At) =>
  settings.interactive && out.tabular && io.stdin.isTTY === true

async function confirmed(at: At, question: string): Promise<boolean> {
  at.out.ask(question)
  return (await readLine(at.io.stdin)).trim().toLowerCase() === 'yes'
}

async function ask(
  at: At,
  word: string,
  { from, to, dry }: { from: string; to: string; dry: boolean },
): Promise<Pair[]> {
  const { recursive, overwrite, cas } = at.flags
  const body = {
    from,
    to,
    recursive,
    overwrite,
    ...(cas !== undefined && { cas }),
    newest_only: at.flags['newest-only'],
    dry_run: dry,
  }
  const doing = `Error ${word === 'move' ? 'moving' : 'copying'} ${from}`
  const secret = await at.api.secret({ method: 'PUT', path: `sys/coffer/kv/${word}`, body, doing })
  return (secret?.data?.['paths'] ?? []) as Pair[]
}
