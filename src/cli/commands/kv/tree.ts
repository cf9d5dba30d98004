/** `kv tree` and `kv find`: what there is below a path, over all levels and mounts. */
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { drawTree } from '../../output/tree.ts'
import { keyFrom } from '../../prompt.ts'
import { underMount } from './place.ts'

const pathArg = {
  name: 'path',
  help: 'Where to begin, with the mount; without it, all mounts.',
  optional: true,
} as const
const mountFlag = flag.string('Mount to begin in; the path is then below it.')
const limitFlag = flag.int('Stop after so many.')
const exits = { 2: 'nothing is there, or the server refused' }

export const tree = defineCommand({
  path: ['kv', 'tree'],
  summary: 'Draws the secrets below a path, folder by folder',
  help: 'Shows what lies in folders you may list and what you may read. No values.',
  examples: [
    { does: 'One folder', line: 'coffer kv tree secret/app' },
    { does: 'Everything you may see', line: 'coffer kv tree' },
    { does: 'The paths, for programs', line: 'coffer kv tree -format=json secret' },
  ],
  args: [pathArg],
  flags: { limit: limitFlag, mount: mountFlag },
  exits,
  async run(at) {
    const path = underMount(at.flags.mount, at.args[0] ?? '')
    const keys = await askAll(at, 'list', { path, limit: at.flags.limit })
    if (keys.length === 0)
      throw new CliError(`No secrets to be seen below ${path || 'any mount'}`, { exit: 2 })
    if (!at.out.tabular) return at.out.structured(keys)
    at.out.line(drawTree(path === '' ? 'all mounts' : path, keys))
    at.out.line(`\n${keys.length} ${keys.length === 1 ? 'secret' : 'secrets'}`)
  },
})

export const find = defineCommand({
  path: ['kv', 'find'],
  summary: 'Finds secrets by name, by their fields, by metadata or by a value',
  help:
    'Searches the secrets you may read, and prints paths, never values. With several conditions a ' +
    'secret must meet all of them. In patterns, * is any characters.',
  examples: [
    { does: 'By name', line: "coffer kv find -name='*db*' secret" },
    { does: 'Those that have a field', line: "coffer kv find -has='pass*' secret/app" },
    { does: 'By custom metadata', line: 'coffer kv find -metadata=owner=web' },
    { does: 'Where a value is used, asked for unseen', line: 'coffer kv find -value=- secret' },
  ],
  args: [pathArg],
  flags: {
    name: flag.string('Pattern for the path or its last part.', { value: 'pattern' }),
    has: flag.string('Pattern for the name of a field.', { value: 'pattern' }),
    metadata: flag.string('Custom metadata: name or name=value; patterns.', { value: 'pattern' }),
    value: flag.string('Value of a field, exactly; - asks for it or reads it from a pipe.'),
    limit: limitFlag,
    mount: mountFlag,
  },
  exits,
  async run(at) {
    const { name, has, metadata, value, limit } = at.flags
    if ([name, has, metadata, value].every((each) => each === undefined)) {
      throw new CliError('Say what to find: -name, -has, -metadata or -value')
    }
    const path = underMount(at.flags.mount, at.args[0] ?? '')
    const keys = await askAll(at, 'find', {
      path,
      limit,
      ...(name !== undefined && { key: name }),
      ...(has !== undefined && { field: has }),
      ...(metadata !== undefined && { metadata }),
      ...(value !== undefined && { value: value === '-' ? await wanted(at) : value }),
    })
    if (keys.length === 0) throw new CliError('Nothing found', { exit: 2 })
    const from = path === '' || path.endsWith('/') ? path : `${path}/`
    const paths = keys.map((key) => from + key)
    if (!at.out.tabular) return at.out.structured(paths)
    for (const each of paths) at.out.line(each)
  },
})

const wanted = (at: Pick<Context, 'io' | 'out' | 'settings'>) =>
  keyFrom(at, at.io.stdin.isTTY === true ? undefined : '-', 'Value')

type At = Pick<Context, 'api' | 'io'>
type Question = Readonly<Record<string, unknown>> & { path: string; limit: number | undefined }

const PAGE = 1_000

/** Page by page; with a line about it on a terminal, as it may take long. */
async function askAll(at: At, word: 'list' | 'find', { limit, ...asked }: Question) {
  const keys: string[] = []
  const shows = at.io.stderr.isTTY === true
  const doing = `Error reading below ${asked.path === '' ? 'the mounts' : asked.path}`
  let after: unknown
  for (let page = 1; ; page++) {
    const left = limit === undefined ? PAGE : Math.min(PAGE, limit - keys.length)
    const body = { ...asked, limit: left, ...(after !== undefined && { after }) }
    const secret = await at.api.secret({
      method: 'PUT',
      path: `sys/coffer/kv/${word}`,
      body,
      doing,
    })
    keys.push(...((secret?.data?.['keys'] ?? []) as string[]))
    after = secret?.data?.['next'] ?? undefined
    if (shows && (page > 1 || after !== undefined)) {
      at.io.stderr.write(after === undefined ? '\r\u001b[K' : `\r${keys.length} found so far …`)
    }
    if (after === undefined || (limit !== undefined && keys.length >= limit)) return keys
  }
}
