/**
 * `env promote`: variables go from one environment into another, after a look at what will change.
 * Each secret is written with check-and-set on the version that was looked at, and in one piece. In a
 * folder of several there is no write of all at once: when one fails, those before it are put back.
 */
import { type Client } from '../../../client/connect.ts'
import { ConflictError } from '../../../client/errors.ts'
import { CliError, messageOf } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { canAsk, confirm } from '../../env/confirm.ts'
import {
  baseFlag,
  environmentPath,
  mustExist,
  readEnvironment,
  readStored,
  type Stored,
  variableLabel,
} from '../../env/environment.ts'
import { withClient } from '../../env/with-client.ts'
import { table } from '../../output/table.ts'

const flags = {
  base: baseFlag,
  yes: flag.bool('Do not ask. A script must say this.'),
  'dry-run': flag.bool('Show the plan, and do nothing.'),
  prune: flag.bool('Remove variables that only the target has.'),
}

type At = Context<typeof flags>
type What = 'add' | 'change' | 'remove' | 'same'
/** One secret of the target: what becomes of it. */
type Step = {
  readonly path: string
  readonly before: Stored
  readonly after: Readonly<Record<string, unknown>>
  readonly variables: readonly { name: string; what: What }[]
}

export const promote = defineCommand({
  path: ['env', 'promote'],
  summary: 'Copies variables from one environment to another',
  help:
    'Shows which variables will be added, changed or removed (never their values), asks, and writes. ' +
    'A write is refused by the server when the target has changed since the plan was made; nothing ' +
    'is changed then. In a folder of several secrets they are written one after the other: when one ' +
    'fails, those before it get their old values back as a new version, and a secret that could ' +
    'not be put back is named.',
  examples: [
    { does: 'All', line: 'coffer env promote secret/shop/dev secret/shop/prod' },
    {
      does: 'Some of them, without a question',
      line: 'coffer env promote -yes -base=secret/shop dev prod API_URL API_KEY',
    },
    { does: 'A folder of secrets', line: 'coffer env promote -dry-run kv/dev/ kv/prod/' },
  ],
  args: [
    { name: 'from', help: 'The environment to copy from.' },
    { name: 'to', help: 'The environment to copy to.' },
    { name: 'name', help: 'Only these variables.', optional: true, many: true },
  ],
  flags,
  async run(at) {
    const [from, to] = at.args.slice(0, 2).map((word) => environmentPath(at, word)) as [
      string,
      string,
    ]
    if (from.endsWith('/') !== to.endsWith('/')) {
      throw new CliError('one of the two is a folder and the other is not', {
        hint: 'a folder of secrets ends in a slash',
      })
    }
    if (from === to) throw new CliError('both environments are the same one')
    return withClient(at, async (client) => {
      const steps = await planned(at, client, from, to)
      const changes = steps.flatMap(({ variables }) =>
        variables.filter(({ what }) => what !== 'same'),
      )
      show(at, { from, to, steps })
      if (changes.length === 0 || at.flags['dry-run']) return 0
      if (!(await agreed(at))) {
        at.out.warn('Nothing was promoted')
        return 1
      }
      await carryOut(
        client,
        steps.filter(({ variables }) => variables.some(({ what }) => what !== 'same')),
      )
      if (at.out.tabular) at.out.line(`Promoted ${changes.length} to ${to}`)
      return 0
    })
  },
})

async function planned(at: At, client: Client, from: string, to: string): Promise<Step[]> {
  const source = await readEnvironment(client, from)
  mustExist(source, from)
  const only = new Set(at.args.slice(2))
  const steps: Step[] = []
  for (const [below, stored] of source) {
    const before = await readStored(client, to + below)
    steps.push({ ...step(at, { below, source: stored, before, only }), path: to + below, before })
  }
  const known = new Set(
    [...source].flatMap(([below, s]) =>
      [...s.variables.keys()].map((n) => variableLabel(below, n)),
    ),
  )
  const unknown = [...only].filter((name) => !known.has(name))
  if (unknown.length > 0) throw new CliError(`${from} has no ${unknown.join(', ')}`)
  return steps
}

type Parts = { below: string; source: Stored; before: Stored; only: ReadonlySet<string> }

function step(
  { flags }: At,
  { below, source, before, only }: Parts,
): Pick<Step, 'after' | 'variables'> {
  const after = new Map(Object.entries(before.data))
  const variables: { name: string; what: What }[] = []
  for (const [name, value] of source.variables) {
    const label = variableLabel(below, name)
    if (only.size > 0 && !only.has(label)) continue
    const old = before.variables.get(name)
    variables.push({
      name: label,
      what: old === undefined ? 'add' : old === value ? 'same' : 'change',
    })
    if (old !== value) after.set(name, source.data[name])
  }
  if (flags.prune && only.size === 0) {
    for (const name of before.variables.keys()) {
      if (source.variables.has(name)) continue
      variables.push({ name: variableLabel(below, name), what: 'remove' })
      after.delete(name)
    }
  }
  return { after: Object.fromEntries(after), variables }
}

function show({ out }: At, { from, to, steps }: { from: string; to: string; steps: Step[] }): void {
  const variables = steps.flatMap((step) => step.variables)
  if (!out.tabular) return out.structured({ from, to, variables })
  const changes = variables.filter(({ what }) => what !== 'same')
  if (changes.length > 0) {
    out.line(
      table(
        ['Name', `In ${to}`],
        changes.map(({ name, what }) => [name, what]),
      ),
    )
  }
  out.line(`${changes.length} to change, ${variables.length - changes.length} the same`)
}

async function agreed(at: At): Promise<boolean> {
  if (at.flags.yes) return true
  if (!canAsk(at)) {
    throw new CliError('nothing was changed: there is nobody to ask', {
      hint: 'say -yes in a script',
    })
  }
  return confirm(at, 'Promote?')
}

type Done = Step & { readonly version: number }

async function carryOut(client: Client, steps: readonly Step[]): Promise<void> {
  const done: Done[] = []
  for (const step of steps) {
    try {
      const { version } = await client
        .kv(step.path)
        .write('', step.after, { cas: step.before.version })
      done.push({ ...step, version: version! })
    } catch (error) {
      const stuck = await putBack(client, done)
      throw failure(step.path, error, stuck)
    }
  }
}

/** The last one first. Gives the paths that could not be put back. */
async function putBack(client: Client, done: readonly Done[]): Promise<string[]> {
  const stuck: string[] = []
  for (const { path, before, version } of done.toReversed()) {
    try {
      // Check-and-set again: what somebody wrote in between is theirs and stays.
      if (before.exists) await client.kv(path).write('', before.data, { cas: version })
      else await client.kv(path).delete('', { versions: [version] })
    } catch {
      stuck.push(path)
    }
  }
  return stuck
}

function failure(path: string, error: unknown, stuck: readonly string[]): CliError {
  const why =
    error instanceof ConflictError
      ? `${path} was changed by somebody else since the plan was made`
      : messageOf(error)
  const state =
    stuck.length === 0
      ? 'nothing was promoted'
      : `promoted, and could not be put back: ${stuck.join(', ')}`
  return new CliError(`${why}; ${state}`, {
    cause: error,
    exit: 2,
    hint: 'run it again to see a new plan',
  })
}
