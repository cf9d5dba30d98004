/** `token`: create, look up, renew, revoke, and what a token may do. */
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { type JsonObject } from '../../lib/json.ts'
import { showData, showSecret } from '../output/secret.ts'

const tokenArg = {
  name: 'token',
  help: 'A token; without one, the token in use.',
  optional: true,
} as const
const accessorFlag = flag.bool('The argument is the accessor of a token, not the token.')

const create = defineCommand({
  path: ['token', 'create'],
  summary: 'Makes a token with some of the rights of yours',
  help: 'Makes a child of the token in use. It has the same policies unless fewer are named.',
  examples: [
    { does: 'For an application', line: 'coffer token create -policy=app -period=24h' },
    { does: 'For one use', line: 'coffer token create -policy=app -use-limit=1 -ttl=10m' },
    { does: 'Only the token', line: 'coffer token create -policy=app -field=token' },
  ],
  flags: {
    id: flag.string('The token itself, instead of a random one. Needs sudo.'),
    'display-name': flag.string('A name for people; it is in the audit log.'),
    ttl: flag.duration('How long it lives, unless it is renewed.'),
    'explicit-max-ttl': flag.duration('How long it lives at most, however often it is renewed.'),
    period: flag.duration('Each renewal is for this long, without an end. Needs sudo.'),
    renewable: flag.bool('It can be renewed.', { default: true }),
    orphan: flag.bool('It has no parent, so it outlives the token in use. Needs sudo.'),
    'no-default-policy': flag.bool('It does not get the policy "default".'),
    'use-limit': flag.int('How many times it can be used. Default: no limit.'),
    role: flag.string('Token role to make it by.'),
    type: flag.string('Kind of token. Default: service.', { oneOf: ['service', 'batch'] }),
    metadata: flag.map('A note that is in the audit log. May be given many times.'),
    policy: flag.list('Policy it has. May be given many times.'),
    'entity-alias': flag.string('Entity alias it belongs to. Needs -role.'),
  },
  async run(at) {
    const path = at.flags.role === undefined ? 'create' : `create/${at.flags.role}`
    const secret = await at.api.secret({
      method: 'POST',
      path: `auth/token/${path}`,
      body: createBody(at),
      doing: 'Error creating token',
    })
    if (secret !== undefined) showSecret(at, secret)
  },
})

/** Only what was typed, so that a role's own settings are not written over by defaults. */
function createBody({ flags, given }: Pick<Context, 'flags' | 'given'>): JsonObject {
  const names: Record<string, string> = {
    id: 'id',
    'display-name': 'display_name',
    ttl: 'ttl',
    'explicit-max-ttl': 'explicit_max_ttl',
    period: 'period',
    renewable: 'renewable',
    orphan: 'no_parent',
    'no-default-policy': 'no_default_policy',
    'use-limit': 'num_uses',
    type: 'type',
    metadata: 'meta',
    policy: 'policies',
    'entity-alias': 'entity_alias',
  }
  const durations = new Set(['ttl', 'explicit-max-ttl', 'period'])
  const values: JsonObject = flags
  const body: JsonObject = {}
  for (const [name, field] of Object.entries(names)) {
    if (given.has(name))
      body[field] = durations.has(name) ? `${String(values[name])}s` : values[name]
  }
  if (values['type'] === 'batch') body['renewable'] = false
  return body
}

const lookup = defineCommand({
  path: ['token', 'lookup'],
  summary: 'Shows what is known of a token',
  examples: [
    { does: 'The one in use', line: 'coffer token lookup' },
    { does: 'By accessor', line: 'coffer token lookup -accessor 9793c9b3…' },
  ],
  args: [tokenArg],
  flags: { accessor: accessorFlag },
  async run(at) {
    const [word] = at.args
    const doing = 'Error looking up token'
    if (at.flags.accessor && word === undefined) {
      throw new CliError('Not enough arguments (expected 1, got 0)')
    }
    const secret =
      word === undefined
        ? await at.api.secret({
            method: 'GET',
            path: 'auth/token/lookup-self',
            doing,
            strict: true,
          })
        : await at.api.secret({
            method: 'POST',
            doing,
            ...about('lookup', at.flags.accessor, word),
          })
    if (secret !== undefined) showSecret(at, secret)
  },
})

function about(verb: string, accessor: boolean, word: string): { path: string; body: JsonObject } {
  return accessor
    ? { path: `auth/token/${verb}-accessor`, body: { accessor: word.trim() } }
    : { path: `auth/token/${verb}`, body: { token: word.trim() } }
}

const renew = defineCommand({
  path: ['token', 'renew'],
  summary: 'Makes a token live longer',
  examples: [
    { does: 'The one in use', line: 'coffer token renew' },
    { does: 'For an hour from now', line: 'coffer token renew -increment=1h' },
  ],
  args: [tokenArg],
  flags: {
    accessor: accessorFlag,
    increment: flag.duration('For how long from now. The server may grant less.', { alias: ['i'] }),
  },
  async run(at) {
    const [word] = at.args
    const doing = 'Error renewing token'
    const { accessor, increment } = at.flags
    if (accessor && word === undefined)
      throw new CliError('Not enough arguments (expected 1, got 0)')
    const asked =
      word === undefined
        ? { path: 'auth/token/renew-self', body: {} as JsonObject }
        : about('renew', accessor, word)
    if (increment !== undefined) asked.body['increment'] = Math.max(0, Math.floor(increment))
    const secret = await at.api.secret({ method: 'PUT', doing, ...asked })
    if (secret !== undefined) showSecret(at, secret)
  },
})

const revoke = defineCommand({
  path: ['token', 'revoke'],
  summary: 'Ends a token, its children and its leases',
  examples: [
    { does: 'By accessor', line: 'coffer token revoke -accessor 9793c9b3…' },
    { does: 'The one in use', line: 'coffer token revoke -self' },
    { does: 'But keep its children', line: 'coffer token revoke -mode=orphan hvs.…' },
  ],
  args: [{ name: 'token', help: 'A token, or with -mode=path a path of tokens.', optional: true }],
  flags: {
    accessor: accessorFlag,
    self: flag.bool('Revoke the token in use.'),
    mode: flag.string('orphan: keep its children. path: every token made at the path.', {
      oneOf: ['orphan', 'path'],
    }),
  },
  async run(at) {
    const { accessor, self, mode } = at.flags
    const word = at.args[0]?.trim() ?? ''
    if (self && (word !== '' || accessor || mode !== undefined)) {
      throw new CliError('-self stands alone: no token, no -accessor, no -mode')
    }
    if (!self && word === '')
      throw new CliError('Must supply token ID with -self or as an argument')
    if (accessor && mode !== undefined) throw new CliError('Cannot use -accessor with -mode')
    const doing = 'Error revoking token'
    const method = 'PUT'
    if (self) await at.api.call({ method, path: 'auth/token/revoke-self', doing })
    else if (mode === 'path')
      await at.api.call({ method, path: `sys/leases/revoke-prefix/${word}`, doing })
    else if (mode === 'orphan') {
      await at.api.call({ method, path: 'auth/token/revoke-orphan', body: { token: word }, doing })
    } else {
      const secret = await at.api.secret({ method, doing, ...about('revoke', accessor, word) })
      for (const warning of secret?.warnings ?? []) at.out.warn(`WARNING! ${warning}`)
    }
    if (at.out.tabular) at.out.line('Success! Revoked token (if it existed)')
  },
})

const capabilities = defineCommand({
  path: ['token', 'capabilities'],
  summary: 'Shows what a token may do at a path',
  examples: [
    { does: 'The one in use', line: 'coffer token capabilities secret/data/app' },
    { does: 'Another one', line: 'coffer token capabilities hvs.… secret/data/app' },
  ],
  args: [
    { name: 'token', help: 'A token; leave it out for the one in use.' },
    { name: 'path', help: 'Path of the API, without /v1/.', optional: true },
  ],
  flags: { accessor: accessorFlag },
  async run(at) {
    const words = at.args.map((word) => word.trim())
    const path = words.at(-1)!
    const token = words.length === 2 ? words[0]! : undefined
    if (at.flags.accessor && token === undefined) {
      throw new CliError('Not enough arguments (expected 2, got 1)')
    }
    const doing = 'Error listing capabilities'
    const kind = token === undefined ? '-self' : at.flags.accessor ? '-accessor' : ''
    const who = token === undefined ? {} : at.flags.accessor ? { accessor: token } : { token }
    const body = { ...who, paths: [path] }
    const secret = await at.api.secret({
      method: 'POST',
      path: `sys/capabilities${kind}`,
      body,
      doing,
    })
    const data = secret?.data ?? secret?.raw ?? {}
    if (at.settings.field !== undefined) return showData(at, data)
    const found = data[path] ?? data['capabilities']
    const names = (Array.isArray(found) ? found.map(String) : []).sort()
    if (at.out.tabular) at.out.line(names.join(', '))
    else at.out.structured(names)
  },
})

export const commands = [create, lookup, renew, revoke, capabilities]
