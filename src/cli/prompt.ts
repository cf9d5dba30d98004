/** Questions on the terminal whose answers must not be seen: unseal keys, tokens, passwords. */
import { CliError } from './cli-error.ts'
import type { Context } from './command.ts'
import { readAll } from './io.ts'

type At = Pick<Context, 'io' | 'out' | 'settings'>

/** Asks for `what` (`Unseal Key`) without echo. Piped input is taken as the answer. */
export async function askHidden(at: At, what: string): Promise<string> {
  if (!at.settings.interactive) {
    throw new CliError(`${what} is missing, and -non-interactive forbids asking for it`)
  }
  const { stdin } = at.io
  at.out.ask(`${what} (will be hidden): `)
  try {
    if (stdin.isTTY !== true) return (await readAll(stdin)).trim()
    return (await readRaw(stdin)).trim()
  } finally {
    at.out.ask('\n')
  }
}

/** A key given as an argument; `-` reads it from standard input, nothing asks for it. */
export async function keyFrom(at: At, argument: string | undefined, what: string): Promise<string> {
  if (argument === undefined || argument === '') return askHidden(at, what)
  if (argument !== '-') return argument.trim()
  return at.settings.interactive ? (await readAll(at.io.stdin)).trim() : ''
}

const [CTRL_C, CTRL_D, BACKSPACE, DELETE] = ['\u0003', '\u0004', '\b', '\u007f']

function readRaw(stdin: At['io']['stdin']): Promise<string> {
  return new Promise((done, fail) => {
    let typed = ''
    const stop = (finish: () => void) => {
      stdin.off('data', read)
      stdin.setRawMode?.(false)
      stdin.pause()
      finish()
    }
    const read = (chunk: Buffer | string) => {
      for (const key of chunk.toString()) {
        if (key === CTRL_C) return stop(() => fail(new CliError('user canceled')))
        if (key === '\r' || key === '\n' || key === CTRL_D) return stop(() => done(typed))
        typed = key === BACKSPACE || key === DELETE ? typed.slice(0, -1) : typed + key
      }
    }
    stdin.setRawMode?.(true)
    stdin.on('data', read)
    stdin.resume()
  })
}
