/** `explain`: why a token may or may not do something, and who may. */
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { columns, table, wrap } from '../output/table.ts'
import { trimSlashes } from '../paths.ts'

const OPERATIONS = ['create', 'read', 'update', 'patch', 'delete', 'list', 'scan']

type Source = { policy: string; path: string; line?: number; capabilities: string[] }
type Rule = { pattern: string; denies: boolean; capabilities: string[]; from: Source[] }
type Told = {
  path: string
  operation: string
  allowed: boolean
  sudo: boolean
  reason: string
  policies: string[]
  missing_policies: string[]
  rule: (Rule & { decided_because: string }) | null
  less_specific: Rule[]
}
type Holder = { id: string; name: string; policies: string[] }
type Holding = { accessor: string; display_name: string; policies: string[] }

const flags = {
  operation: flag.string('What is done there.', { default: 'read', oneOf: OPERATIONS }),
  accessor: flag.string('Of the token it is about. Without this, -policy and -entity: your own.'),
  policy: flag.list('What somebody with this policy may do. May be given many times.'),
  entity: flag.string('What this entity may do, by its id.'),
  who: flag.bool('Show who may do it: policies, tokens, entities and groups.'),
}

export const command = defineCommand({
  path: ['explain'],
  summary: 'Shows which rule allows or denies something',
  help:
    'Asks the server which rule decides at a path, where it stands and why it is the one. The path ' +
    'is that of the API: for kv version 2 with data/ or metadata/ in it. Needs sudo.',
  examples: [
    { does: 'Your own token', line: 'coffer explain secret/data/app' },
    {
      does: 'Another token',
      line: 'coffer explain secret/data/app -operation=update -accessor=Hc2b…',
    },
    { does: 'A policy before it is given to anyone', line: 'coffer explain kv/a -policy=web' },
    { does: 'Who may read it', line: 'coffer explain -who secret/data/app' },
  ],
  args: [{ name: 'path', help: 'Path of the API, without /v1/.' }],
  flags,
  async run(at) {
    const path = at.args[0]!.replace(/^\//, '')
    if (trimSlashes(path) === '') throw new CliError('the path is empty')
    if (at.flags.who) return showWho(at, path)
    const body = { path, operation: at.flags.operation, ...(await subject(at)) }
    const doing = `Error explaining ${path}`
    const secret = await at.api.secret({ method: 'PUT', path: 'sys/coffer/explain', body, doing })
    if (!at.out.tabular) return at.out.structured(secret?.data ?? {})
    show(at, secret?.data as unknown as Told)
  },
})

type At = Context<typeof flags>

async function subject({ flags: given, api }: At): Promise<object> {
  const { accessor, policy, entity } = given
  const named = {
    ...(accessor !== undefined && { accessor }),
    ...(policy.length > 0 && { policies: policy }),
    ...(entity !== undefined && { entity }),
  }
  if (Object.keys(named).length > 0) return named
  const doing = 'Error looking up your own token'
  const path = 'auth/token/lookup-self'
  const own = await api.secret({ method: 'GET', path, doing, aside: true })
  return { accessor: own?.data?.['accessor'] }
}

function show({ out }: At, told: Told): void {
  out.line(`${told.allowed ? 'Allowed' : 'Denied'}: ${told.operation} on ${told.path}`)
  out.line(wrap(`${capital(told.reason)}.`))
  out.line('')
  const { rule } = told
  const rows = [
    ...(rule ? [['Rule', rule.pattern], ['Chosen', rule.decided_because], ...fromRows(rule)] : []),
    ['Sudo', told.sudo ? 'yes' : 'no'],
    ['Policies', told.policies.join(', ')],
    ...(told.missing_policies.length > 0
      ? [['No such policy', told.missing_policies.join(', ')]]
      : []),
  ]
  out.line(columns(rows))
  if (told.less_specific.length === 0) return
  out.line('\nLess specific, so they count for nothing here:')
  for (const other of told.less_specific) {
    out.line(`  ${other.pattern}`)
    for (const source of other.from) out.line(`    ${sourceText(source)}`)
  }
}

const fromRows = (rule: Rule) =>
  rule.from.map((source, i) => [i === 0 ? 'From' : 'And', sourceText(source)])

const sourceText = ({ policy, line, capabilities }: Source) =>
  `policy ${policy}${line === undefined ? '' : `, line ${line}`} (${capabilities.join(', ')})`

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

async function showWho(at: At, path: string): Promise<void> {
  const { operation } = at.flags
  const tokens: Holding[] = []
  let first: Record<string, unknown> | undefined
  for (let after: unknown = ''; after !== null;) {
    const body = { path, operation, after }
    const doing = `Error asking about ${path}`
    const secret = await at.api.secret({ method: 'PUT', path: 'sys/coffer/who', body, doing })
    const data = secret?.data ?? {}
    first ??= data
    tokens.push(...((data['tokens'] ?? []) as Holding[]))
    after = data['next'] ?? null
  }
  if (!at.out.tabular) return at.out.structured({ ...first, tokens, next: null })
  const rows = [
    ...((first?.['policies'] ?? []) as string[]).map((name) => ['policy', name, '']),
    ...tokens.map((each) => ['token', each.accessor, each.policies.join(',')]),
    ...['entities', 'groups'].flatMap((kind) =>
      ((first?.[kind] ?? []) as Holder[]).map((each) => [
        kind === 'groups' ? 'group' : 'entity',
        each.name,
        each.policies.join(','),
      ]),
    ),
  ]
  at.out.line(table(['What', 'Which', 'Policies'], rows))
}
