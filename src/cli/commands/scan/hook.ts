/** What `scan install-hook` does: a scan before each commit and each push. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliError } from '../../cli-error.ts'
import type { Context } from '../../command.ts'
import type { hookFlags } from './hook-command.ts'
import {
  fileFor,
  hookAt,
  HOOKS,
  type HookName,
  LEFTHOOK_LOCAL,
  type Place,
  placeOf,
  textOf,
} from './hook-place.ts'
import { hookScript, lefthookLocal, NEXT, withBlock, withoutBlock } from './hook-script.ts'

type At = Pick<Context<typeof hookFlags>, 'args' | 'flags' | 'io'>

/** The exit code. Throws a CliError. */
export async function changeHooks(at: At): Promise<number> {
  const place = await placeOf(resolve(at.args[0] ?? '.'))
  if (at.flags.doctor) return doctor(at, place)
  if (place.isShared && !at.flags.shared) {
    throw new CliError(`core.hooksPath points to ${place.folder}, outside of this repository`, {
      hint: '-shared installs there, for all repositories that use it',
    })
  }
  const change = at.flags.uninstall ? uninstall : install
  for (const name of HOOKS) change(at, place, name)
  return 0
}

const say = ({ io }: At, text: string) => void io.stdout.write(`${text}\n`)

/** This program, as a hook starts it. */
const program = () => fileURLToPath(new URL('../../../../bin/coffer', import.meta.url))

function install(at: At, place: Place, name: HookName): void {
  const found = hookAt(place, name)
  if (found.kind === 'ours') return say(at, `${name}: is there already (${found.file})`)
  if (place.beside === 'lefthook') return installLefthook(at, place, name)
  const file = fileFor(place, name)
  if (place.beside === 'husky') {
    write(file, withBlock(textOf(file), name, program()))
    return say(at, `${name}: added to ${file}, which husky calls`)
  }
  if (found.kind === 'pre-commit framework') {
    // The framework calls what was there before it, by this name.
    const legacy = `${file}.legacy`
    const before = existsSync(legacy)
    if (before) renameSync(legacy, join(dirname(file), `${name}${NEXT}`))
    write(legacy, hookScript(name, program()))
    return say(at, `${name}: wrote ${legacy}, which the pre-commit framework calls first`)
  }
  if (found.kind === 'other') {
    const next = `${file}${NEXT}`
    if (existsSync(next)) {
      throw new CliError(`${next} is there already, and so is a hook that is not ours`, {
        hint: 'move one of them away',
      })
    }
    renameSync(file, next)
  }
  write(file, hookScript(name, program()))
  const then = found.kind === 'other' ? `; it calls what was there, now ${name}${NEXT}` : ''
  say(at, `${name}: wrote ${file}${then}`)
}

function installLefthook(at: At, { top }: Place, name: HookName): void {
  const local = join(top, LEFTHOOK_LOCAL)
  if (existsSync(local)) {
    throw new CliError(
      `${local} is yours: add to it what follows, then run lefthook install\n\n${lefthookLocal(program())}`,
    )
  }
  writeFileSync(local, lefthookLocal(program()))
  say(at, `${name}: wrote ${local}, which lefthook reads; run: lefthook install`)
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  chmodSync(file, 0o755)
}

function uninstall(at: At, place: Place, name: HookName): void {
  const found = hookAt(place, name)
  if (found.kind !== 'ours') return say(at, `${name}: there is none of ours`)
  const { file } = found
  const next = join(dirname(file), `${name}${NEXT}`)
  const rest = place.beside === 'husky' ? withoutBlock(textOf(file)) : ''
  if (rest.trim() !== '') writeFileSync(file, rest)
  else if (existsSync(next)) renameSync(next, file)
  else rmSync(file)
  say(at, `${name}: taken out of ${file}`)
}

/** Whether git would run ours. Tells what is in its way, and what to do. */
function doctor(at: At, place: Place): number {
  let ill = 0
  for (const name of HOOKS) {
    const why = whyNot(place, name)
    if (why !== undefined) ill++
    say(at, `${name}: ${why ?? 'runs'}`)
  }
  if (place.isShared) say(at, `hooks come from ${place.folder}, for all repositories`)
  return ill > 0 ? 1 : 0
}

function whyNot(place: Place, name: HookName): string | undefined {
  const found = hookAt(place, name)
  const own = join(place.top, '.git', 'hooks', name)
  if (found.kind === 'none' || found.kind === 'other') {
    const shadowed = own !== fileFor(place, name) && textOf(own).includes('coffer')
    if (shadowed) return `does not run: core.hooksPath shadows ${own}; install it again`
    const who = found.kind === 'other' ? `, another hook is at ${found.file}` : ''
    return `is not installed${who}`
  }
  if (found.kind === 'pre-commit framework') return 'is not installed, the framework has its place'
  // What git starts must be executable; husky and lefthook have files of their own for that.
  const started = join(place.folder, name)
  if (!isExecutable(started)) return `does not run: ${started} is missing or not executable`
  return undefined
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
