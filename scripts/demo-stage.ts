/** What the demo is played on: narration for a terminal, checks that are counted, apps as processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export type Check = { what: string; held: boolean }
export type Stage = {
  readonly checks: readonly Check[]
  /** Everything written so far. */
  text: () => string
  title: (text: string) => void
  step: (text: string) => void
  /** A line of the narrator. */
  say: (text: string) => void
  /** A line that a program printed. */
  line: (who: string, text: string) => void
  check: (what: string, held: boolean) => void
  summary: () => boolean
}

/** What stands before the text of a line. */
const MARGIN = '   node-app   | '.length

function folded(text: string, width: number): string[] {
  const pieces: string[] = []
  let rest = text
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width)
    const end = space > width / 2 ? space : width
    pieces.push(rest.slice(0, end))
    rest = rest.slice(end).replace(/^ /, '')
  }
  return [...pieces, rest]
}

/** A terminal of so many columns has long lines of programs folded, not what `text` gives. */
export function createStage(
  write: (text: string) => void,
  color: boolean,
  columns = Infinity,
): Stage {
  const checks: Check[] = []
  let written = ''
  let steps = 0
  const paint = (code: number, text: string) => (color ? `\x1b[${code}m${text}\x1b[0m` : text)
  const put = (text = '', shown = text) => {
    written += `${text}\n`
    write(`${shown}\n`)
  }
  return {
    checks,
    text: () => written,
    title: (text) => put(paint(1, text)),
    step(text) {
      steps += 1
      put(`\n${paint(1, `${steps}. ${text}`)}`)
    },
    say: (text) => put(`   ${text}`),
    line(who, text) {
      const pieces = folded(text, columns - MARGIN)
      const shown = pieces.map((piece, i) => `   ${(i === 0 ? who : '').padEnd(10)} | ${piece}`)
      put(paint(2, `   ${who.padEnd(10)} | ${text}`), paint(2, shown.join('\n')))
    },
    check(what, held) {
      checks.push({ what, held })
      put(`   ${held ? paint(32, '✓') : paint(31, '✗ DID NOT HOLD:')} ${what}`)
    },
    summary() {
      const broken = checks.filter(({ held }) => !held)
      const good = checks.length > 0 && broken.length === 0
      put()
      for (const { what } of broken) put(`${paint(31, '✗')} ${what}`)
      const count = `${checks.length - broken.length} of ${checks.length} held`
      put(paint(good ? 32 : 31, `${good ? 'All' : 'Not all'} of it held: ${count}.`))
      return good
    },
  }
}

export type App = {
  readonly lines: readonly string[]
  /** The first line that matches from line `from` on. Rejects after `ms`, or when the app ends. */
  waitFor(pattern: RegExp, ms: number, from?: number): Promise<string>
  /** Resolves at the end with the exit code; a signal counts as 1. */
  ended: Promise<number>
  stop(): Promise<number>
}

export type AppOptions = { who: string; env: Record<string, string>; onLine: Stage['line'] }

/** Starts a program and shows what it prints. */
export function startApp(command: string, args: string[], options: AppOptions): App {
  const { who, env, onLine } = options
  const lines: string[] = []
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const watchers = new Set<() => void>()
  const wake = () => {
    for (const watcher of watchers) watcher()
  }
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (text) => {
      lines.push(text)
      onLine(who, text)
      wake()
    })
  }
  const ended = endOf(child)
  ended.then(wake, wake)
  return {
    lines,
    ended,
    waitFor: (pattern, ms, from = 0) =>
      new Promise((done, refuse) => {
        const settle = (act: () => void) => {
          clearTimeout(timer)
          watchers.delete(look)
          act()
        }
        const look = () => {
          const found = lines.slice(from).find((line) => pattern.test(line))
          if (found !== undefined) settle(() => done(found))
          else if (child.exitCode !== null) settle(() => refuse(new Error(`${who} ended`)))
        }
        const timer = setTimeout(
          () => settle(() => refuse(new Error(`${who} did not say ${pattern} in ${ms} ms`))),
          ms,
        )
        watchers.add(look)
        look()
      }),
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

/** `close`, not `exit`: by then every line was read. */
function endOf(child: ChildProcess): Promise<number> {
  return new Promise((done, refuse) => {
    child.once('error', refuse)
    child.once('close', (code) => done(code ?? 1))
  })
}
