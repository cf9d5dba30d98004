/** A rotation drawn in text: where it stands on its way, who holds what, what has happened. */
import { columns } from '../../output/table.ts'
import { age, clean, cut, type HolderTold, stateText, type Told, when, WIDTH } from './told.ts'

/** The way of every rotation, and which states of the machine are where on it. */
const WAY: readonly [name: string, states: readonly string[]][] = [
  ['planned', ['PLANNED']],
  ['applied', ['APPLYING', 'ABORTED']],
  ['proven', ['VERIFYING', 'STAGED']],
  ['served', ['PUBLISHED', 'ROLLED_BACK']],
  ['let go', ['DRAINING']],
  ['refused', ['SOFT_REVOKED']],
  ['revoked', ['REVOKED']],
]

const HOLDERS_MAX = 12
const HISTORY_MAX = 6
const DONE = '●'
const HERE = '◉'
const AHEAD = '○'

/** `● planned ── ◉ applied ── ○ proven …`; at rest, all of it lies ahead. */
export function drawWay({ phase }: Pick<Told, 'phase'>): string {
  const at = WAY.findIndex(([, states]) => states.includes(phase))
  const mark = (i: number) => (i < at ? DONE : i === at ? HERE : AHEAD)
  return WAY.map(([name], i) => `${mark(i)} ${name}`).join(' ─ ')
}

/** At most 80 columns wide, and the same lines for the same state of things. */
export function drawRotation(told: Told, now: number): string {
  const { target, strategy } = told
  const where = [target, strategy].filter((each) => each !== '').join(', ')
  const facts: string[][] = [
    ['State', `${stateText(told)} for ${age(told.since, now)}`],
    ...(told.hold_note === '' ? [] : [['Held', told.hold_note]]),
    ...(told.trouble === '' || told.trouble === told.hold_note ? [] : [['Trouble', told.trouble]]),
    ['Generation', generations(told)],
    ['Drift', told.drift],
    ['Last', when(told.last_rotation, now)],
    ['Next', when(told.next_try ?? told.next_rotation, now)],
  ]
  const label = Math.max(...facts.map(([name]) => name!.length)) + 4
  return [
    cut(told.path, WIDTH),
    ...(where === '' ? [] : [cut(where, WIDTH)]),
    '',
    drawWay(told),
    '',
    columns(facts.map(([name, text]) => [name!, cut(text!, WIDTH - label)])),
    '',
    ...drawHolders(told.holders, now),
    '',
    ...drawHistory(told),
  ].join('\n')
}

function generations(told: Told): string {
  const parts = [told.generation === 0 ? 'none is served yet' : `${told.generation} is served`]
  if (told.candidate_generation > 0) parts.push(`${told.candidate_generation} is to come`)
  if (told.previous_generation > 0) parts.push(`${told.previous_generation} is being let go`)
  return parts.join(', ')
}

export function drawHolders(holders: readonly HolderTold[], now: number): string[] {
  if (holders.length === 0) return ['Nobody is known to hold it.']
  const rows = holders
    .slice(0, HOLDERS_MAX)
    .map((holder) => [
      holder.blocks ? '!' : '-',
      holder.kind,
      cut(who(holder), 30),
      String(holder.generation),
      holder.state,
      age(holder.since, now),
    ])
  const heads = ['', 'Holder', 'Who', 'Gen', 'State', 'For']
  const lines = narrow([heads, ...rows])
  const more = holders.length - HOLDERS_MAX
  return more > 0 ? [...lines, `  and ${more} more`] : lines
}

const who = ({ name, app, address }: HolderTold): string => {
  const own = app !== '' && app !== name ? `${app} ${name}` : name
  return address === '' ? own : `${own} ${address}`
}

/** As `columns`, with two spaces between, so that six of them fit. */
export function narrow(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, i) => cell + ' '.repeat(widths[i]! - width(cell)))
      .join('  ')
      .trimEnd(),
  )
}

/** Characters, not code units. */
const width = (text: string): number => Array.from(text).length

function drawHistory({ history }: Told): string[] {
  return history.slice(-HISTORY_MAX).map((line) => cut(historyLine(line), WIDTH))
}

/** One thing that has happened, for those who read a log instead of a picture. */
export function historyLine({ at, state, generation, note }: Told['history'][number]): string {
  const time = at.slice(0, 19).replace('T', ' ')
  return clean(`${time}  ${state.padEnd(12)}  gen ${generation}  ${note}`)
}
