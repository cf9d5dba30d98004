/** `env check`: whether everything a deploy needs is there, before it is deployed. */
import { existsSync } from 'node:fs'
import { resolveEnv } from '../../../agent/resolve-env.ts'
import { type Client } from '../../../client/connect.ts'
import { ConfigError, MissingError } from '../../../client/errors.ts'
import { hasReference } from '../../../client/reference.ts'
import { envValues } from '../../../lib/env-file.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { baseFlag, environmentPath, readStored } from '../../env/environment.ts'
import { hintForBare, readEnvFile } from '../../env/read-env-file.ts'
import { withClient } from '../../env/with-client.ts'
import { table } from '../../output/table.ts'
import { exitTwo } from './diff.ts'

const flags = {
  env: flag.string('The environment, such as secret/shop/prod, or "prod" with -base.'),
  base: baseFlag,
  file: flag.string('File in .env form that names what is needed.', { default: '.env.example' }),
}

type At = Context<typeof flags>
type Missing = { name: string; where: string; reason: string }

export const check = defineCommand({
  path: ['env', 'check'],
  summary: 'Fails when an environment lacks something it needs',
  help:
    'Reads the names in a file such as .env.example. A name whose value is a reference must resolve; ' +
    'any other must be in the environment, whatever value the file gives it as an example. ' +
    'All that is missing is named.',
  examples: [
    { does: 'Before a deploy', line: 'coffer env check -env=secret/shop/prod' },
    {
      does: 'With another list',
      line: 'coffer env check -base=secret/shop -env=prod -file=deploy/env.list',
    },
    { does: 'References only', line: 'coffer env check -file=.env' },
  ],
  flags,
  exits: { 0: 'all is there', 1: 'something is missing', 2: 'an error, here or at the server' },
  usageExit: 2,
  run: (at) => exitTwo(() => run(at)),
})

async function run(at: At): Promise<number> {
  const { file } = at.flags
  if (!existsSync(file) && !at.given.has('file')) {
    throw new CliError(`there is no ${file} here`, { hint: 'name the list with -file=<path>' })
  }
  const needed = [...envValues(readEnvFile(file))]
  if (needed.length === 0) throw new CliError(`${file} names nothing`)
  const references = needed.filter(([, value]) => hasReference(value))
  const names = needed.filter(([, value]) => !hasReference(value)).map(([name]) => name)
  if (names.length > 0 && at.flags.env === undefined) {
    throw new CliError(`${file} has names without a reference: say where they must be`, {
      hint: 'give -env=secret/<project>/<environment>',
    })
  }
  const path = at.flags.env === undefined ? undefined : environmentPath(at, at.flags.env)
  if (path?.endsWith('/')) throw new CliError('-env is one secret, not a folder')
  const missing = await withClient(at, async (client) => [
    ...(names.length > 0 ? await missingNames(client, path!, names) : []),
    ...(await unresolved(client, Object.fromEntries(references))),
  ])
  const total = needed.length
  if (!at.out.tabular) at.out.structured({ checked: total, missing })
  else if (missing.length === 0) at.out.line(`All ${total} are there`)
  else {
    at.out.line(
      table(
        ['Name', 'Where', 'What'],
        missing.map((m) => [m.name, m.where, m.reason]),
      ),
    )
    at.out.line(`\n${missing.length} of ${total} missing`)
    const hint = hintForBare(missing.map(({ where }) => where).filter(hasReference))
    if (hint !== undefined) at.out.warn(`hint: ${hint}`)
  }
  return missing.length === 0 ? 0 : 1
}

async function missingNames(client: Client, path: string, names: string[]): Promise<Missing[]> {
  const { variables, exists } = await readStored(client, path)
  const reason = exists ? 'not in the environment' : 'there is no such environment'
  return names.filter((name) => !variables.has(name)).map((name) => ({ name, where: path, reason }))
}

/** What the server refuses or cannot say is not the same as what is missing: that is thrown. */
async function unresolved(client: Client, env: Record<string, string>): Promise<Missing[]> {
  try {
    await resolveEnv(env, { client })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const cannotTell = error.problems.find(
      (problem) => problem.error !== undefined && !(problem.error instanceof MissingError),
    )
    if (cannotTell) throw error
    return error.problems.map(({ at, reference, reason }) => ({
      name: at,
      where: reference,
      reason,
    }))
  }
}
