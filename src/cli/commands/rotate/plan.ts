/** `rotate plan` and `rotate report`: before anything happens, and whether it should. */
import { CliError } from '../../cli-error.ts'
import { defineCommand, flag } from '../../command.ts'
import { wrap } from '../../output/table.ts'
import { drawHolders, narrow } from './picture.ts'
import {
  askAbout,
  clean,
  cut,
  type HolderTold,
  pathArg,
  noRotation,
  shortDuration,
  stateText,
  type Told,
  when,
  WIDTH,
} from './told.ts'

type Plan = Told & {
  gap: boolean
  sees_sessions: boolean
  steps: string[]
  holders: HolderTold[]
  refused_by: string[]
  emergency_cuts: string[]
}

export const plan = defineCommand({
  path: ['rotate', 'plan'],
  summary: 'Says what a rotation would do, and who holds what, before anything happens',
  examples: [
    { does: 'Before a rotation', line: 'coffer rotate plan database/static-creds/app' },
    {
      does: 'Whom an emergency would cut',
      line: 'coffer rotate plan -format=json secret/app | jq .emergency_cuts',
    },
  ],
  args: [pathArg],
  exits: { 2: 'there is no such rotation, or the server refused' },
  async run(at) {
    const data = await askAbout(at, {
      method: 'GET',
      act: 'plan',
      doing: 'planning the rotation of',
    })
    if (!data) throw noRotation(at)
    if (!at.out.tabular) return at.out.structured(data)
    const told = data as unknown as Plan
    const line = (text = '') => at.out.line(text)
    line(cut(told.path, WIDTH))
    line(cut(`${told.target}, ${told.strategy}, ${stateText(told)}`, WIDTH))
    line()
    told.steps.forEach((step, i) => line(cut(`${String(i + 1).padStart(2)}. ${step}`, WIDTH)))
    line()
    if (told.gap) line('There is a moment at which the served credential does not work.\n')
    if (!told.sees_sessions) line('The target does not tell who is logged in.\n')
    for (const each of drawHolders(told.holders, Date.now())) line(each)
    section(line, 'Refused now, because the one before is held by', told.refused_by)
    section(line, 'An emergency would cut off', told.emergency_cuts)
  },
})

function section(line: (text?: string) => void, title: string, names: readonly string[]): void {
  if (names.length === 0) return
  line(`\n${title}:`)
  line(wrap(names.map(clean).join(', '), WIDTH - 2))
}

type Row = {
  path: string
  kind: string
  rotated: string
  state: string
  age: number | null
  max_age: number
  next_rotation: string | null
}
type Report = {
  total: number
  stale: number
  due: number
  ok: number
  unknown: number
  complete: boolean
  entries: Row[]
}

const DAY = 86_400

export const report = defineCommand({
  path: ['rotate', 'report'],
  summary: 'Shows how old every secret and credential is, the stale ones first',
  help:
    'Of what you may read, or read about. A secret says with the custom metadata max_age how old it ' +
    'may become; -max-age is for all others. Made for CI: it fails while anything is stale.',
  examples: [
    { does: 'By the usual policy of 90 days', line: 'coffer rotate report' },
    { does: 'Stricter, below a path', line: 'coffer rotate report -max-age=24d secret/prod/' },
    { does: 'For programs', line: 'coffer rotate report -format=json' },
  ],
  args: [{ name: 'prefix', help: 'Only paths that begin so.', optional: true }],
  flags: {
    'max-age': flag.duration('How old they may be.', { default: 90 * DAY }),
    limit: flag.int('List at most so many.', { default: 1_000 }),
    'stale-only': flag.bool('List only what is stale.'),
  },
  exits: { 0: 'nothing is stale', 1: 'something is stale', 2: 'the server refused' },
  async run(at) {
    const { 'max-age': maxAge, limit, 'stale-only': staleOnly } = at.flags
    const query = {
      prefix: at.args[0] ?? '',
      max_age: `${Math.ceil(maxAge)}s`,
      limit: String(limit),
    }
    const doing = 'Error reading the report'
    const secret = await at.api.secret({
      method: 'GET',
      path: 'sys/coffer/rotate/report',
      query,
      doing,
    })
    if (!secret?.data) throw new CliError('The server has no report', { exit: 2 })
    const told = secret.data as unknown as Report
    const exit = told.stale > 0 ? 1 : 0
    const entries = told.entries.filter(({ state }) => !staleOnly || state === 'stale')
    if (!at.out.tabular) {
      at.out.structured({ ...told, entries })
      return exit
    }
    const now = Date.now()
    const rows = entries.map((row) => [
      row.state,
      cut(row.path, 36),
      row.age === null ? '?' : shortDuration(row.age),
      shortDuration(row.max_age),
      row.rotated || 'by hand',
      row.next_rotation === null ? '-' : when(row.next_rotation, now),
    ])
    if (rows.length > 0) {
      const lines = narrow([['State', 'Path', 'Age', 'Limit', 'Rotated', 'Next'], ...rows])
      for (const line of lines) at.out.line(cut(line, WIDTH))
      at.out.line('')
    }
    at.out.line(
      `${told.stale} stale, ${told.due} due soon, ${told.ok} in order, ${told.unknown} of unknown age`,
    )
    if (!told.complete) at.out.warn('there are more secrets than were looked at: use a prefix')
    return exit
  },
})
