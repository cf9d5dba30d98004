/**
 * A command is data: its path, its flags and its words are declared once, and the parser, the
 * help, the completion and the docs derive from that. `run` gets what was typed, already checked.
 *
 *   export const command = defineCommand({
 *     path: ['kv', 'get'],
 *     summary: 'Reads a secret',
 *     args: [{ name: 'path', help: 'Where the secret is.' }],
 *     flags: { version: flag.int('Read this version.') },
 *     run: async ({ args, flags, api }) => …,
 *   })
 */
import type { Flags, Values } from './flag.ts'
import type { Api } from './http/api.ts'
import type { Io } from './io.ts'
import type { Printer } from './output/printer.ts'
import type { Settings } from './settings.ts'

export { type Flag, flag, type Flags } from './flag.ts'

export type Arg = {
  readonly name: string
  readonly help: string
  readonly optional?: true
  /** This and every further argument; only the last one may say so. */
  readonly many?: true
}

export type Example = { readonly does: string; readonly line: string }

/** What a command is given. Nothing global is left to reach for, so a test can hand it a fake. */
export type Context<F extends Flags = Flags> = {
  /** The name the program was started under: coffer, vault or bao. */
  readonly program: string
  readonly flags: Values<F>
  /** Flags that were typed, so that `-description=""` is not the same as silence. */
  readonly given: ReadonlySet<string>
  readonly args: readonly string[]
  /** What came after `--`, for a command that declares `rest`; else those are in `args`. */
  readonly rest: readonly string[]
  readonly settings: Settings
  readonly io: Io
  readonly out: Printer
  /** The server at `settings.address`. Built on first use, so a local command needs no address. */
  readonly api: Api
}

type Declaration<F extends Flags> = {
  readonly path: readonly [string, ...string[]]
  /** One line, for lists of commands. */
  readonly summary: string
  /** What the command does, in paragraphs. */
  readonly help?: string
  readonly examples?: readonly Example[]
  readonly args?: readonly Arg[]
  readonly rest?: { readonly name: string; readonly help: string }
  readonly flags?: F
  /** False: the command talks to no server and prints no data, so it has no global flags. */
  readonly globals?: false
  /** Flags end at the first argument, for a command that runs another: `run npm test -v`. */
  readonly flagsFirst?: true
  /** Exit codes that differ from 0 ok, 1 local error, 2 remote error. */
  readonly exits?: Readonly<Record<number, string>>
  /** The exit code of every error, for a command whose 1 means something else. */
  readonly errorExit?: number
  /** The exit code; nothing means 0. */
  run(context: Context<F>): Promise<number | void> | number | void
}

/** A declared command, its flag types forgotten: what lists of commands hold. */
export type Command = Omit<Declaration<Flags>, 'flags' | 'run'> & {
  readonly flags: Flags
  run(context: Context): Promise<number | void> | number | void
}

type NoFlags = Readonly<Record<string, never>>

export function defineCommand<const F extends Flags = NoFlags>(declared: Declaration<F>): Command {
  // The parser fills `flags` from this very declaration, so `run` gets the types it asked for.
  return { flags: {}, ...declared }
}
