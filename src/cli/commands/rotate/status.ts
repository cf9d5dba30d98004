/** `rotate list` and `rotate status`: what is rotated and how it stands, once or live. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { showNone } from '../../output/secret.ts'
import { drawRotation, historyLine, narrow } from './picture.ts'
import { cut, pathArg, stateText, statusOf, type Told, when, WIDTH } from './told.ts'

const DETAILS_MAX = 200

export const list = defineCommand({
  path: ['rotate', 'list'],
  summary: 'Lists what is rotated, and how each rotation stands',
  help: 'Of what you may read. A ! stands before those that somebody should look at.',
  examples: [
    { does: 'All', line: 'coffer rotate list' },
    { does: 'Below a path, for programs', line: 'coffer rotate list -format=json database/' },
    { does: 'With the state of each', line: 'coffer rotate list -format=json -detailed' },
  ],
  args: [{ name: 'prefix', help: 'Only paths that begin so.', optional: true }],
  exits: { 2: 'nothing is rotated, or the server refused' },
  async run(at) {
    const doing = 'Error listing rotations'
    const secret = await at.api.secret({ method: 'LIST', path: 'sys/coffer/rotate', doing })
    const keys = (secret?.data?.['keys'] ?? []) as string[]
    const paths = keys.filter((key) => key.startsWith(at.args[0] ?? ''))
    if (paths.length === 0) {
      const hint =
        'declare one, such as a password that is made anew each month:\n' +
        `      ${at.program} write sys/coffer/rotate/config/secret/app \\\n` +
        '        kind=generated field=password period=30d'
      return showNone(at, 'Nothing is rotated there', { hint, empty: [] })
    }
    if (!at.out.tabular) {
      if (!at.settings.detailed) return at.out.structured(paths)
      const all: unknown[] = []
      for (const path of paths) all.push((await detailsOf(at, path)) ?? { path })
      return at.out.structured(all)
    }
    const now = Date.now()
    const rows: string[][] = []
    for (const path of paths.slice(0, DETAILS_MAX)) {
      rows.push(rowOf(await detailsOf(at, path), path, now))
    }
    const lines = narrow([[' ', 'Path', 'State', 'Gen', 'Held by', 'Next'], ...rows])
    for (const line of lines) at.out.line(cut(line, WIDTH))
    const more = paths.length - DETAILS_MAX
    if (more > 0) at.out.line(`and ${more} more: use -format=json for all paths`)
  },
})

/** Undefined for one whose status this token may not read. */
async function detailsOf(at: Pick<Context, 'api'>, path: string): Promise<Told | undefined> {
  const doing = `Error reading the rotation of ${path}`
  const ask = {
    method: 'GET',
    path: `sys/coffer/rotate/status/${path}`,
    doing,
    accept: [403],
  } as const
  const secret = await at.api.secret(ask)
  return secret?.data ? (secret.data as unknown as Told) : undefined
}

function rowOf(told: Told | undefined, path: string, now: number): string[] {
  if (!told) return [' ', cut(path, 34), '?', '?', '?', '?']
  const troubled = told.state === 'HELD' || told.drift === 'target_changed' || told.trouble !== ''
  const held = told.holders.filter((holder) => holder.blocks).length
  return [
    troubled ? '!' : ' ',
    cut(path, 34),
    told.drift === 'target_changed' ? 'CHANGED' : stateText(told),
    String(told.generation),
    held === 0 ? '-' : String(held),
    when(told.next_try ?? told.next_rotation, now),
  ]
}

const UNTIL = ['idle', 'served'] as const

const flags = {
  watch: flag.bool('Draw it again and again.'),
  interval: flag.duration('How often to look.', { default: 1 }),
  until: flag.string('With -watch: end when it is idle, or the next generation is served.', {
    oneOf: UNTIL,
  }),
  timeout: flag.duration('With -until: give up after so long.'),
}

type At = Context<typeof flags>

export const status = defineCommand({
  path: ['rotate', 'status'],
  summary: 'Shows how a rotation stands, and who holds what',
  help:
    'The state, the generations, who holds them and what has happened last; never a value. With ' +
    '-watch the picture is drawn again in place until you interrupt it, or until -until comes true; ' +
    'where the output is no terminal, each thing that happens is a line.',
  examples: [
    { does: 'Once', line: 'coffer rotate status database/static-creds/app' },
    { does: 'Live', line: 'coffer rotate status -watch secret/app/db' },
    {
      does: 'Wait in a script until the old one is revoked',
      line: 'coffer rotate status -watch -until=idle secret/app/db',
    },
  ],
  args: [pathArg],
  flags,
  exits: {
    2: 'there is no such rotation, or the server refused',
    3: '-until has not come true within -timeout, or the rotation is held',
  },
  async run(at) {
    if (at.flags.watch) return watch(at)
    if (at.flags.until !== undefined) throw new CliError('-until needs -watch')
    const told = await statusOf(at)
    if (!at.out.tabular) return at.out.structured(told)
    at.out.line(drawRotation(told, Date.now()))
  },
})

async function watch(at: At): Promise<number> {
  const { interval, until, timeout } = at.flags
  const screen = screenOn(at)
  const endsAt = Date.now() + (timeout ?? Infinity) * 1000
  let first: Told | undefined
  for (;;) {
    const told = await statusOf(at)
    first ??= told
    screen(told)
    if (until !== undefined) {
      if (cameTrue(until, told, first)) return 0
      if (told.state === 'HELD' || Date.now() >= endsAt) return 3
    }
    await sleep(Math.max(interval, 0.2) * 1000)
  }
}

const cameTrue = (until: string, told: Told, first: Told): boolean =>
  until === 'idle'
    ? told.state === 'IDLE' && told.previous_generation === 0
    : told.generation > first.generation

/** Draws over what it has drawn, on a terminal; elsewhere prints what is new. */
export function screenOn({ io, out }: Pick<Context, 'io' | 'out'>): (told: Told) => void {
  if (!out.tabular) return (told) => out.structured(told)
  if (io.stdout.isTTY !== true) return newLines(out)
  let height = 0
  return (told) => {
    const lines = drawRotation(told, Date.now()).split('\n')
    // Up to where the last picture began; each line is cleared to its end, and all below it.
    const up = height > 0 ? `\u001b[${height}A` : ''
    io.stdout.write(`${up}\r${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
    height = lines.length
  }
}

function newLines(out: Pick<Context['out'], 'line'>): (told: Told) => void {
  let last = ''
  let drift = ''
  return (told) => {
    const lines = told.history.map(historyLine)
    const from = lines.lastIndexOf(last)
    for (const line of last === '' ? lines.slice(-1) : lines.slice(from + 1)) out.line(line)
    last = lines.at(-1) ?? last
    if (drift !== '' && told.drift !== drift) out.line(`drift: ${told.drift}`)
    drift = told.drift
  }
}
