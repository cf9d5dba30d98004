/** Scans one text: rules and known secrets to spots, without those that a comment allows. */
import { type IndexMatcher } from '../rules/fingerprints.ts'
import { type Matcher } from '../rules/matcher.ts'
import { allowed, type Lines } from './allow.ts'
import { type Spot } from './finding.ts'

export type Scanner = {
  readonly matcher: Matcher
  readonly index?: IndexMatcher
  /** Comments that allow a secret count. Default: yes. */
  readonly comments?: boolean
}

export type Scanned = { readonly spots: Spot[]; readonly allowed: number }

/** What is shown of a line on either side of the secret. */
const CONTEXT_BEFORE = 40
const CONTEXT_AFTER = 60
const NONE: Scanned = { spots: [], allowed: 0 }

/** `line` is the number of the first line, where the text is a part of a longer one. */
export function scanText(text: string, path: string, scanner: Scanner, line = 1): Scanned {
  const found = scanner.matcher.find(text, { path }).map(({ rule, start, end, secret }) => {
    return { rule: rule.id, title: rule.title, severity: rule.severity, start, end, secret }
  })
  const known = scanner.index ? knownIn(text, scanner.index) : []
  if (found.length + known.length === 0) return NONE
  const lines = linesOf(text)
  const mayBe = scanner.comments === false ? () => false : allowed(text)
  // A secret that the vault knows is told as that, whatever rule finds it too.
  const rest = found.filter((one) => !known.some((k) => k.start < one.end && one.start < k.end))
  const spots: Spot[] = []
  let count = 0
  for (const one of [...known, ...rest].sort((a, b) => a.start - b.start)) {
    if (mayBe(lines, one.start, one.end)) count++
    else spots.push(spotOf(one, lines, line))
  }
  return { spots, allowed: count }
}

type Raw = Pick<Spot, 'rule' | 'title' | 'severity' | 'secret' | 'known'> & {
  readonly start: number
  readonly end: number
}

/** The index speaks of bytes; where the text is not ASCII, they are counted once more. */
function knownIn(text: string, index: IndexMatcher): Raw[] {
  const bytes = Buffer.from(text)
  const hits = index.find(bytes)
  if (hits.length === 0) return []
  const ascii = bytes.length === text.length
  const at = (offset: number) => (ascii ? offset : bytes.toString('utf8', 0, offset).length)
  return hits.map(({ start, end, ref }) => {
    const [from, to] = [at(start), at(end)]
    return {
      rule: 'vault-secret',
      title: `${ref.live ? 'Live' : 'Past'} secret of the vault`,
      severity: ref.live ? 'high' : 'medium',
      start: from,
      end: to,
      secret: text.slice(from, to),
      known: ref,
    }
  })
}

function spotOf({ start, end, ...about }: Raw, lines: Lines, first: number): Spot {
  const line = lines.lineAt(start)
  const endLine = lines.lineAt(Math.max(start, end - 1))
  const at = start - lines.startOf(line)
  const whole = lines.text(line)
  const from = whole.length > CONTEXT_BEFORE + CONTEXT_AFTER ? Math.max(0, at - CONTEXT_BEFORE) : 0
  const stop = Math.max(at, Math.min(whole.length, at + (end - start))) + CONTEXT_AFTER
  return {
    ...about,
    line: line + first - 1,
    column: at + 1,
    endLine: endLine + first - 1,
    endColumn: end - lines.startOf(endLine) + 1,
    context: { text: whole.slice(from, stop), at: at - from },
  }
}

/** Made when something was found: most texts are never cut into lines. */
export function linesOf(text: string): Lines {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineAt = (offset: number) => {
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }
  return {
    lineAt,
    startOf: (line) => starts[line - 1] ?? text.length,
    text(line) {
      const end = line < starts.length ? starts[line]! - 1 : text.length
      const whole = text.slice(starts[line - 1], end)
      return whole.endsWith('\r') ? whole.slice(0, -1) : whole
    },
  }
}
