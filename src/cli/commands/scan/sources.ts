/** What a scan looks at, by its flags: files, standard input, what is staged, a range, history. */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  type Finding,
  scanHistory,
  scanInput,
  type ScanOptions,
  scanPaths,
  scanStaged,
} from '../../../scan/scan.ts'
import { CliError } from '../../cli-error.ts'
import { whyUnreadable } from '../../unreadable.ts'
import { type Context, flag } from '../../command.ts'
import { pushedRanges } from './pushed.ts'

export const sourceFlags = {
  staged: flag.bool('Only what is about to be committed.'),
  history: flag.bool('All that was ever committed, on all refs.'),
  diff: flag.string('Only commits in this range: main..HEAD.'),
  stdin: flag.bool('Standard input; so does the path -.'),
  'stdin-name': flag.string('The name that standard input would have as a file.', {
    default: 'stdin',
  }),
  'pre-push': flag.string('What a push to this remote adds, as a hook is told.', { hidden: true }),
  'no-ignore': flag.bool('Scan what ignore files leave out, too.'),
}
export type SourceAt = Context<typeof sourceFlags>

export async function* findingsFor(at: SourceAt, options: ScanOptions): AsyncGenerator<Finding> {
  const { staged, history, diff, stdin, 'pre-push': remote } = at.flags
  const modes = [staged, history, diff !== undefined, stdin, remote !== undefined]
  if (modes.filter(Boolean).length > 1) {
    throw new CliError('only one of -staged, -history, -diff and -stdin can be given')
  }
  const paths = at.args.length === 0 ? ['.'] : at.args
  if (stdin || paths.includes('-')) {
    if (paths.some((path) => path !== '-' && path !== '.')) {
      throw new CliError('standard input cannot be scanned together with paths')
    }
    yield* scanInput(await bytesOf(at.io.stdin), at.flags['stdin-name'], options)
    return
  }
  for (const path of paths) missing(path)
  if (!modes.includes(true)) {
    yield* scanPaths(paths, options)
    return
  }
  if (paths.length > 1) {
    throw new CliError('git is asked about one repository at a time: name one folder')
  }
  const folder = folderOf(paths[0]!)
  if (staged) yield* scanStaged(folder, options)
  else if (remote !== undefined) {
    const told = (await bytesOf(at.io.stdin)).toString('utf8')
    for (const range of await pushedRanges(folder, told, remote)) {
      yield* scanHistory(folder, range, options)
    }
  } else yield* scanHistory(folder, diff === undefined ? [] : rangeOf(diff), options)
}

export function folderOf(path: string): string {
  return statSync(path).isDirectory() ? path : dirname(path)
}

async function bytesOf(stdin: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stdin) parts.push(Buffer.from(part as Uint8Array))
  return Buffer.concat(parts)
}

/** Words that begin with a dash would be options of git. */
function rangeOf(diff: string): string[] {
  const words = diff.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0 || words.some((word) => word.startsWith('-'))) {
    throw new CliError('-diff must be a range of commits, such as main..HEAD')
  }
  return words
}

function missing(path: string): void {
  try {
    statSync(path)
  } catch (error) {
    throw new CliError(`scan: ${path} cannot be read: ${whyUnreadable(error)}`)
  }
}
