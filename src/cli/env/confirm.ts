/** Yes or no, asked of a person. A script says it with a flag, and is never waited for. */
import { type Context } from '../command.ts'
import { readLine } from '../io.ts'

type At = Pick<Context, 'io' | 'out' | 'settings'>

export function canAsk({ io, settings }: At): boolean {
  return settings.interactive && io.stdin.isTTY === true
}

/** No is what nothing means. */
export async function confirm(at: At, question: string): Promise<boolean> {
  at.out.ask(`${question} [y/N] `)
  return /^\s*y(es)?\s*$/i.test(await readLine(at.io.stdin))
}
