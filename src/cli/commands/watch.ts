/** `watch`: what happens below a path, line by line, as it happens. */
import { NetworkError } from '../../client/errors.ts'
import {
  type WatchEvent,
  watchEvents,
  type WatchLine,
  type WatchQuery,
} from '../../client/watch.ts'
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { type Ask } from '../http/api.ts'
import { ApiFailure } from '../http/failure-text.ts'

const TYPE_WIDTH = 18

export const command = defineCommand({
  path: ['watch'],
  summary: 'Shows changes of secrets as they happen',
  help:
    'Prints a line for each change of a secret at the path or below it: when, what, where and ' +
    'which version. Never a value. Only what the token may read is shown. It goes on until it is ' +
    'stopped; when the connection is lost, it goes on where it was as soon as the server is back.',
  examples: [
    { does: 'All that the token may read', line: 'coffer watch' },
    { does: 'One folder', line: 'coffer watch secret/app/' },
    { does: 'For programs: a JSON object a line', line: 'coffer watch -format=json secret/app/' },
    { does: 'Wait for the next change', line: 'coffer watch -count=1 secret/app/db' },
  ],
  args: [{ name: 'prefix', help: 'A path, and all below it.', optional: true }],
  flags: {
    prefix: flag.string('The same as the argument.'),
    after: flag.string('Begin behind the event of this id, which an earlier watch has told.'),
    count: flag.int('Stop after so many events.'),
  },
  exits: {
    0: 'the events that were asked for have come',
    1: 'wrong usage',
    2: 'the server refused, or could not be reached at the start',
  },
  async run(at) {
    const { after, count = Infinity } = at.flags
    const { format } = at.settings
    if (format !== 'table' && format !== 'json') {
      throw new CliError(`watch cannot print lines of ${format}`, { hint: 'use -format=json' })
    }
    if (at.args.length > 0 && at.flags.prefix !== undefined) {
      throw new CliError('the prefix was given twice', { hint: 'leave out -prefix' })
    }
    if (count < 1) throw new CliError('-count must be 1 or more')
    const prefix = at.args[0] ?? at.flags.prefix ?? ''
    // What waits between two tries would not keep the process alive.
    const alive = setInterval(() => {}, 60_000)
    try {
      await print(at, { prefix, after, count })
    } finally {
      clearInterval(alive)
    }
  },
})

async function print(
  at: Context,
  { prefix, after, count }: { prefix: string; after: string | undefined; count: number },
): Promise<void> {
  let connected = false
  const onState = (now: boolean) => {
    if (now && !connected && at.io.stderr.isTTY === true) {
      const what = prefix === '' ? 'all that this token may read' : prefix
      at.out.warn(`watching ${what}; Ctrl-C ends it`)
    }
    if (connected && !now) at.out.warn('the connection was lost; trying again')
    connected = now
  }
  const settings = { after, onState, random: Math.random }
  let left = count
  for await (const event of watchEvents(lineOf(at), prefix, settings)) {
    at.out.line(at.out.tabular ? lineFor(event) : JSON.stringify(event))
    if (--left <= 0) return
  }
}

function lineFor({ time, type, path, version, generation }: WatchEvent): string {
  const which =
    version !== undefined
      ? `  version ${version}`
      : generation !== undefined
        ? `  generation ${generation}`
        : ''
  // To the second: the order is that of the lines.
  const when = `${time.slice(0, 19)}Z`
  return `${when}  ${type.padEnd(TYPE_WIDTH)}  ${path}${which}`
}

/** Once there was an answer, trouble is expected to pass; before, it is told at once. */
function lineOf({ api }: Pick<Context, 'api'>): WatchLine {
  let reached = false
  const ask = (query: WatchQuery): Ask => ({
    method: 'GET',
    path: 'sys/coffer/watch',
    doing: 'Error watching',
    query: Object.fromEntries(
      Object.entries(query).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)]],
      ),
    ),
    strict: true,
  })
  async function patiently<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      const refused = error instanceof ApiFailure && error.status < 500 && error.status !== 429
      if (!reached || refused || !(error instanceof CliError)) throw error
      throw new NetworkError({ path: 'sys/coffer/watch', cause: error })
    }
  }
  return {
    stream: (query, give, signal) =>
      patiently(() => {
        const chunk = (bytes: Uint8Array) => {
          reached = true
          give(bytes)
        }
        return api.call({ ...ask(query), streaming: { chunk, signal } })
      }),
    poll: (query) => patiently(async () => (await api.secret(ask(query)))?.data),
  }
}
