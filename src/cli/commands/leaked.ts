/** `leaked`: cases of secrets that were seen where they should not be. */
import { createReadStream, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { printable } from '../../scan/report/report.ts'
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import type { Secret } from '../http/api.ts'
import { showKeys, showNone, showSecret } from '../output/secret.ts'
import { trimSlashes } from '../paths.ts'
import { whyUnreadable } from '../unreadable.ts'
import { leaksIn, sendLeak } from './leaked-findings.ts'
import { whereaboutsOf, wordsOf } from './whereabouts.ts'

const idArg = {
  name: 'id',
  help: 'Of the case, as `leaked report` and `leaked list` show it.',
} as const
const NONE = { 2: 'there is none, or the server refused' }

const reportFlags = {
  version: flag.int('Which version of it; 0 = it is not known.', { default: 0 }),
  source: flag.string('Where it was seen: a repository and a commit, a page. Never the value.', {
    default: '',
  }),
  fingerprint: flag.string('Of a finding of `scan`, when nobody knows where the secret is kept.', {
    default: '',
  }),
  rotate: flag.bool('Start the rotation that is declared for the path.'),
  from: flag.string(
    'Report what a scan has found: its output with -format=jsonl; - = standard input.',
  ),
}
type At = Context<typeof reportFlags>

const report = defineCommand({
  path: ['leaked', 'report'],
  summary: 'Says that a secret was seen where it should not be',
  help:
    'Opens a case, or adds to the one there is: the same secret has one case. Those who watch are ' +
    'told. A value is never sent: a secret is named by its path, or by the fingerprint of a finding.\n\n' +
    'With -from, every secret that a scan knew by an index is reported, each once for each place.',
  examples: [
    {
      does: 'One secret',
      line: 'coffer leaked report -source=shop@4f0c2d9 secret/app/db#password',
    },
    {
      does: 'What a scan has found',
      line: 'coffer leaked report -from=findings.jsonl -source=shop',
    },
    { does: 'And have it replaced', line: 'coffer leaked report -rotate secret/app/db' },
  ],
  args: [{ name: 'path', help: 'The secret: secret/app/db, or with its field.', optional: true }],
  flags: reportFlags,
  exits: NONE,
  run: (at) => (at.flags.from === undefined ? reportOne(at) : reportAll(at, at.flags.from)),
})

async function reportOne(at: At): Promise<void> {
  const { version, source, fingerprint, rotate } = at.flags
  const given = at.args[0] ?? ''
  if (given === '' && fingerprint === '') {
    throw new CliError('say what has leaked: a path, or -fingerprint', {
      hint: `${at.program} leaked report -help`,
    })
  }
  const [path = '', field = ''] = given.split('#')
  const secret = await sendLeak(
    at.api,
    { path: trimSlashes(path), field, version, source, fingerprint },
    rotate,
  )
  if (secret !== undefined) showSecret(at, secret)
}

async function reportAll(at: At, from: string): Promise<void> {
  if (at.args.length > 0) throw new CliError('-from takes the secrets from the scan: name no path')
  const lines = createInterface({ input: inputOf(at, from), crlfDelay: Infinity })
  const { leaks, unknown } = await leaksIn(lines, at.flags.source)
  let opened = 0
  for (const leak of leaks) {
    const secret = await sendLeak(at.api, leak, at.flags.rotate)
    const { id, new: isNew, rotation } = (secret?.data ?? {}) as Record<string, unknown>
    if (isNew === true) opened++
    for (const warning of secret?.warnings ?? []) at.out.warn(warning)
    if (!at.out.tabular) continue
    const which = `${leak.path}#${leak.field} v${leak.version}`
    at.out.line(
      `${String(id)}  ${which}${rotation === 'started' ? ', its rotation has begun' : ''}`,
    )
  }
  const told = { reported: leaks.length, new: opened, unknown }
  if (!at.out.tabular) return at.out.structured(told)
  at.out.line(`Reported: ${leaks.length}, not known before: ${opened}`)
  if (unknown > 0)
    at.out.line(`Findings that no index knows, and that are not reported: ${unknown}`)
}

function inputOf({ io }: At, from: string): NodeJS.ReadableStream {
  if (from === '-') return io.stdin
  try {
    statSync(from)
  } catch (error) {
    throw new CliError(`${from} cannot be read: ${whyUnreadable(error)}`)
  }
  return createReadStream(from)
}

const list = defineCommand({
  path: ['leaked', 'list'],
  summary: 'Lists the open cases',
  examples: [{ does: 'Their ids', line: 'coffer leaked list' }],
  exits: NONE,
  async run(at) {
    const doing = 'Error listing cases'
    const secret = await at.api.secret({ method: 'LIST', path: 'sys/coffer/leaked', doing })
    if (secret === undefined) return showNone(at, 'No open cases', { empty: [] })
    return showKeys(at, secret)
  },
})

const show = defineCommand({
  path: ['leaked', 'show'],
  summary: 'Shows a case: what has leaked, and where it was seen',
  help:
    'With what is known of the secret, as far as your token may know it: whether it is live, who has ' +
    'read it last by the audit log, and who may read it.',
  examples: [{ does: 'One of them', line: 'coffer leaked show 3f2a90c1d4e5b678' }],
  args: [idArg],
  exits: NONE,
  async run(at) {
    const path = `sys/coffer/leaked/${trimSlashes(at.args[0]!)}`
    const secret = await at.api.secret({ method: 'GET', path, doing: 'Error reading the case' })
    if (secret === undefined) throw new CliError(`No open case ${at.args[0]!}`, { exit: 2 })
    const about = at.settings.field === undefined ? await aboutCase(at, secret) : undefined
    if (!about) return showSecret(at, secret)
    if (!at.out.tabular) {
      const data = { ...secret.data, whereabouts: about }
      return showSecret(at, { ...secret, data, raw: { ...secret.raw, data } })
    }
    showSecret(at, secret)
    at.out.line('')
    for (const words of wordsOf(about)) at.out.line(printable(words))
  },
})

/** What is known of the secret of a case, beside the case; undefined where that is for others. */
async function aboutCase({ api }: Pick<At, 'api'>, { data }: Secret) {
  const path = data?.['path']
  if (typeof path !== 'string') return undefined
  return whereaboutsOf(api, { path, version: Number(data?.['version']) || 0 })
}

const close = defineCommand({
  path: ['leaked', 'close'],
  summary: 'Closes a case that has been dealt with',
  examples: [{ does: 'One of them', line: 'coffer leaked close 3f2a90c1d4e5b678' }],
  args: [idArg],
  exits: NONE,
  async run(at) {
    const path = `sys/coffer/leaked/${trimSlashes(at.args[0]!)}`
    await at.api.call({ method: 'DELETE', path, doing: 'Error closing the case' })
    at.out.line(`Success! Closed the case ${at.args[0]!}, if it was open`)
  },
})

export const commands = [report, list, show, close]
