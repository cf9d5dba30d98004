/** `env import`: the values of a `.env` file into the store, and the file out of harm's way. */
import { rmSync } from 'node:fs'
import { type Client } from '../../../client/connect.ts'
import { ConflictError } from '../../../client/errors.ts'
import { hasReference } from '../../../client/reference.ts'
import { type EnvFile, envValues } from '../../../lib/env-file.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { canAsk, confirm } from '../../env/confirm.ts'
import { baseFlag, environmentPath, readStored, type Stored } from '../../env/environment.ts'
import { addToIgnored, ignoredByGit } from '../../env/gitignore.ts'
import { readEnvFile } from '../../env/read-env-file.ts'
import { rewriteToReferences } from '../../env/rewrite.ts'
import { withClient } from '../../env/with-client.ts'
import { table } from '../../output/table.ts'

const flags = {
  base: baseFlag,
  yes: flag.bool('Overwrite values that differ without asking. A script must say this.'),
  gitignore: flag.bool('Add the file to .gitignore. -gitignore=false: and do not ask.'),
  remove: flag.bool('Remove the file when its values are stored. -remove=false: and do not ask.'),
  rewrite: flag.bool('Replace the values in the file by references to where they are stored.'),
}

type At = Context<typeof flags>
type What = 'new' | 'changed' | 'same' | 'reference'
type Row = { readonly name: string; readonly value: string; readonly what: What }

export const importing = defineCommand({
  path: ['env', 'import'],
  summary: 'Stores the values of a .env file',
  help:
    'Stores every value as a field of one secret, beside the fields it has already, and shows names ' +
    'only. Asks before it overwrites. A value that is a reference stays in the file. Afterwards ' +
    'offers to add the file to .gitignore and to remove it; -rewrite keeps it, with references in ' +
    'the place of values, for coffer run.',
  examples: [
    { does: 'Store, and be asked about the rest', line: 'coffer env import .env secret/shop/dev' },
    {
      does: 'In a script',
      line: 'coffer env import -yes -gitignore -remove .env secret/shop/dev',
    },
    {
      does: 'Keep the file, without secrets',
      line: 'coffer env import -rewrite .env secret/shop/dev',
    },
  ],
  args: [
    { name: 'file', help: 'File in .env form.' },
    { name: 'path', help: 'The environment, such as secret/shop/dev.' },
  ],
  flags,
  async run(at) {
    if (at.flags.rewrite && at.flags.remove) {
      throw new CliError('-rewrite keeps the file and -remove does not: choose one')
    }
    const [file = '', word = ''] = at.args
    const path = environmentPath(at, word)
    if (path.endsWith('/')) throw new CliError('import into one secret, not into a folder')
    const read = readEnvFile(file)
    if (read.entries.length === 0) throw new CliError(`${file} holds no NAME=value`)
    await withClient(at, (client) => store(at, { client, path, read }))
    await afterwards(at, { file, path, read })
  },
})

type Job = { client: Client; path: string; read: EnvFile }

async function store(at: At, { client, path, read }: Job): Promise<void> {
  const before = await readStored(client, path)
  const rows = [...envValues(read)].map(([name, value]) => ({
    name,
    value,
    what: whatOf(before, name, value),
  }))
  const changed = rows.filter(({ what }) => what === 'changed')
  const stored = rows.filter(({ what }) => what === 'new' || what === 'changed')
  if (at.out.tabular)
    at.out.line(
      table(
        ['Name', `In ${path}`],
        rows.map((row) => [row.name, row.what]),
      ),
    )
  if (changed.length > 0 && !at.flags.yes) await mayOverwrite(at, changed)
  const version = stored.length === 0 ? undefined : await write(client, { path, before, stored })
  const variables = rows.map(({ name, what }) => ({ name, what }))
  if (!at.out.tabular) at.out.structured({ path, version: version ?? before.version, variables })
  else if (version === undefined) at.out.line('Nothing to store')
  else at.out.line(`Stored ${stored.length} in ${path}, version ${version}`)
}

function whatOf(before: Stored, name: string, value: string): What {
  if (hasReference(value)) return 'reference'
  const old = before.variables.get(name)
  return old === undefined ? 'new' : old === value ? 'same' : 'changed'
}

async function mayOverwrite(at: At, changed: readonly Row[]): Promise<void> {
  const names = changed.map(({ name }) => name).join(', ')
  if (!canAsk(at)) {
    throw new CliError(`nothing was stored: there are other values already for ${names}`, {
      hint: 'say -yes to overwrite them',
    })
  }
  if (!(await confirm(at, `Overwrite ${names}?`))) throw new CliError('nothing was stored')
}

type Write = { path: string; before: Stored; stored: readonly Row[] }

async function write(client: Client, { path, before, stored }: Write): Promise<number | undefined> {
  const data = new Map([
    ...Object.entries(before.data),
    ...stored.map(({ name, value }) => [name, value] as const),
  ])
  try {
    const made = await client.kv(path).write('', Object.fromEntries(data), { cas: before.version })
    return made.version
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error
    throw new CliError(`nothing was stored: somebody else has just changed ${path}`, {
      cause: error,
      exit: 2,
      hint: 'run it again',
    })
  }
}

/** The file still holds the values: they are taken out of it, or it out of the way. */
async function afterwards(at: At, { file, path, read }: Omit<Job, 'client'> & { file: string }) {
  const { flags, given, out } = at
  const wants = async (name: 'gitignore' | 'remove', question: string) =>
    given.has(name) ? flags[name] : canAsk(at) && (await confirm(at, question))
  const tell = (text: string) => (out.tabular ? out.line(text) : out.warn(text))
  if (flags.rewrite) {
    rewriteToReferences(file, read, path)
    tell(`${file} holds references now: coffer run -env-file=${file} -- <command>`)
    return
  }
  const state = ignoredByGit(file)
  if (state === 'tracked') {
    out.warn(
      `${file} is in git, and its values are in the history: change them where they are used`,
    )
  }
  const askable = state === 'not ignored' || state === 'tracked' || given.has('gitignore')
  if (state !== 'ignored' && askable && (await wants('gitignore', `Add ${file} to .gitignore?`))) {
    tell(`Added to ${addToIgnored(file)}`)
  }
  if (await wants('remove', `Remove ${file}?`)) {
    rmSync(file)
    tell(`Removed ${file}`)
  } else if (!given.has('remove')) {
    out.warn(
      `${file} still holds the values.\n-remove removes it, -rewrite leaves references in it.`,
    )
  }
}
