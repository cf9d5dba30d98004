/**
 * `env diff`: which variables differ between two environments, without a value on the screen. Values
 * are compared as keyed hashes under a key of this one run, so nothing that is kept or printed could
 * be tried against a list of guesses.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { CliError } from '../../cli-error.ts'
import { defineCommand, flag } from '../../command.ts'
import {
  baseFlag,
  type Environment,
  environmentPath,
  mustExist,
  readEnvironment,
  variableLabel,
} from '../../env/environment.ts'
import { withClient } from '../../env/with-client.ts'
import { table } from '../../output/table.ts'

type Status = 'same' | 'different' | 'only_a' | 'only_b'

const WORDS = (a: string, b: string): Readonly<Record<Status, string>> => ({
  same: 'same',
  different: 'different',
  only_a: `only in ${a}`,
  only_b: `only in ${b}`,
})

export const diff = defineCommand({
  path: ['env', 'diff'],
  summary: 'Compares two environments without showing values',
  help:
    'Compares by keyed hashes with a key that is made for this run and forgotten. A path that ends ' +
    'in a slash is a folder of secrets, with all below it.',
  examples: [
    { does: 'Two environments', line: 'coffer env diff secret/shop/dev secret/shop/prod' },
    { does: 'The same, shorter', line: 'coffer env diff -base=secret/shop dev prod' },
    { does: 'Two folders, for a script', line: 'coffer env diff -format=json kv/dev/ kv/prod/' },
  ],
  args: [
    { name: 'a', help: 'An environment, such as secret/shop/dev.' },
    { name: 'b', help: 'The other one.' },
  ],
  flags: { base: baseFlag, all: flag.bool('Show what is the same too.') },
  exits: { 0: 'the same', 1: 'different', 2: 'an error, here or at the server' },
  usageExit: 2,
  async run(at) {
    return exitTwo(async () => {
      const [a, b] = at.args.map((word) => environmentPath(at, word)) as [string, string]
      const [left, right] = await withClient(at, async (client) =>
        Promise.all([readEnvironment(client, a), readEnvironment(client, b)]),
      )
      mustExist(left, a)
      mustExist(right, b)
      const found = compare(left, right)
      const differ = found.filter(({ status }) => status !== 'same')
      if (!at.out.tabular) at.out.structured({ a, b, same: differ.length === 0, variables: found })
      else {
        const shown = at.flags.all ? found : differ
        const words = WORDS(a, b)
        if (shown.length > 0) {
          at.out.line(
            table(
              ['Name', 'Values'],
              shown.map((one) => [one.name, words[one.status]]),
            ),
          )
        }
        at.out.line(`${differ.length} of ${found.length} differ`)
      }
      return differ.length === 0 ? 0 : 1
    })
  },
})

/** 1 is an answer of this command, so nothing that went wrong may end with it. */
export async function exitTwo(run: () => Promise<number>): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof CliError && error.exit === 1) {
      const { message, hint } = error
      throw new CliError(message, {
        cause: error,
        exit: 2,
        ...(hint === undefined ? {} : { hint }),
      })
    }
    throw error
  }
}

function compare(left: Environment, right: Environment): { name: string; status: Status }[] {
  const key = randomBytes(32)
  const hash = (value: string) => createHmac('sha256', key).update(value).digest('base64')
  const [a, b] = [hashed(left, hash), hashed(right, hash)]
  const names = [...new Set([...a.keys(), ...b.keys()])].sort()
  return names.map((name) => ({ name, status: statusOf(a.get(name), b.get(name)) }))
}

function hashed(environment: Environment, hash: (value: string) => string): Map<string, string> {
  const hashes = new Map<string, string>()
  for (const [below, { variables }] of environment) {
    for (const [name, value] of variables) hashes.set(variableLabel(below, name), hash(value))
  }
  return hashes
}

function statusOf(a: string | undefined, b: string | undefined): Status {
  if (a === undefined) return 'only_b'
  if (b === undefined) return 'only_a'
  return a === b ? 'same' : 'different'
}
