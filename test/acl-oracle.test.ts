/**
 * The ACL against a second reading of the same rules, written the slow way: every pattern becomes a
 * regular expression, everything that matches is sorted. A failure prints the seed; put it into
 * ACL_SEED to see the case again.
 */
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { type Operation, compileAcl } from '../src/core/acl.ts'
import { type Capability, parsePolicy } from '../src/core/policies.ts'

type Line = { policy: string; pattern: string; capabilities: Capability[] }

const seed = Number(process.env['ACL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** Park and Miller's generator: short, and the same everywhere. */
function dice(start: number) {
  let state = (start % 2147483646) + 1
  const below = (n: number) => {
    state = (state * 48271) % 2147483647
    return state % n
  }
  const pick = <T>(all: readonly T[]): T => all[below(all.length)] as T
  return { below, pick }
}

// The oracle.

const escaped = (text: string) => text.replaceAll(/[*+.\\]/g, String.raw`\$&`)
const PLUS = /(?<=^|\/)\+(?=\/|$)/g

function regexOf(pattern: string, flags: string): RegExp {
  const body = pattern
    .replace(/\*$/, '')
    .split('/')
    .map((segment) => (segment === '+' ? '[^/]*' : escaped(segment)))
  return new RegExp(`^${body.join('/')}${pattern.endsWith('*') ? '.*' : ''}$`, flags)
}

type Group = { pattern: string; lines: Line[]; deny: boolean; wild: boolean; regex: RegExp }

function groupsOf(lines: readonly Line[]): Group[] {
  const byPattern = Object.groupBy(lines, (line) => line.pattern)
  return Object.entries(byPattern).map(([pattern, same = []]) => {
    const deny = same.some((line) => line.capabilities.includes('deny'))
    const wild = pattern.endsWith('*') || pattern.match(PLUS) !== null
    return { pattern, lines: same, deny, wild, regex: regexOf(pattern, deny ? 'i' : '') }
  })
}

/** The five criteria of wildcard patterns, best first; between equals a deny. */
function better(a: Group, b: Group): number {
  const first = (g: Group) => g.pattern.search(/(?<=^|\/)\+(?=\/|$)|\*$/)
  const star = (g: Group) => Number(g.pattern.endsWith('*'))
  const pluses = (g: Group) => g.pattern.match(PLUS)?.length ?? 0
  const low = (g: Group) => g.pattern.toLowerCase()
  return (
    first(b) - first(a) ||
    star(a) - star(b) ||
    pluses(a) - pluses(b) ||
    b.pattern.length - a.pattern.length ||
    (low(a) > low(b) ? -1 : low(a) < low(b) ? 1 : 0) ||
    Number(b.deny) - Number(a.deny)
  )
}

function speaker(groups: readonly Group[], path: string, listing: boolean): Group | undefined {
  const exact = (p: string) =>
    groups
      .filter((g) => !g.wild && g.regex.test(p))
      .toSorted((a, b) => Number(b.deny) - Number(a.deny))[0]
  const wild = (p: string) => groups.filter((g) => g.wild && g.regex.test(p)).toSorted(better)[0]
  if (!listing) return exact(path) ?? wild(path)
  const bare = path.replace(/\/$/, '')
  const slashed = path === '' ? '' : `${bare}/`
  const chosen = exact(slashed) ?? exact(bare) ?? wild(slashed) ?? wild(bare)
  const covering = wild(slashed)
  const overruled =
    chosen !== undefined &&
    chosen !== exact(slashed) &&
    !chosen.wild &&
    covering?.deny &&
    !covering.regex.test(bare)
  return overruled ? covering : chosen
}

function oracle(lines: readonly Line[], path: string, operation: Operation) {
  const listing = operation === 'list' || operation === 'scan'
  const group = speaker(groupsOf(lines), path, listing)
  const open = group && !group.deny ? group.lines : []
  const having = (c: Capability) => open.filter((line) => line.capabilities.includes(c))
  const grantingPolicies = [...new Set(having(operation).map((line) => line.policy))]
  return {
    allowed: grantingPolicies.length > 0,
    sudo: having('sudo').length > 0,
    grantingPolicies,
  }
}

// The cases.

const OPERATIONS = ['create', 'read', 'update', 'patch', 'delete', 'list', 'scan'] as const

function compile(lines: readonly Line[]) {
  const names = [...new Set(lines.map((line) => line.policy))]
  const texts = names.map((name) => ({
    name,
    policy: parsePolicy(
      lines
        .filter((line) => line.policy === name)
        .map((l) => `path "${l.pattern}" { capabilities = ${JSON.stringify(l.capabilities)} }`)
        .join('\n'),
    ),
  }))
  return compileAcl(texts)
}

function randomPath({ below, pick }: ReturnType<typeof dice>, words: readonly string[]): string {
  const segments = Array.from({ length: 1 + below(4) }, () => pick(words))
  return segments.join('/')
}

function randomLines(random: ReturnType<typeof dice>): Line[] {
  const { below, pick } = random
  const words = ['a', 'a', 'A', 'b', 'ab', '+', '+', 'a*', 'x+']
  return Array.from({ length: 1 + below(8) }, () => {
    const path = randomPath(random, words)
    const end = pick(['', '', '', '/', '/*', '/*', '*'])
    const all: Capability[] = [...OPERATIONS, 'sudo']
    const capabilities = all.filter(() => below(2) === 0)
    if (below(5) === 0) capabilities.push('deny')
    return {
      policy: `p${below(3)}`,
      pattern: end === '*' && path.endsWith('+') ? path : path + end,
      capabilities,
    }
  }).toSorted((a, b) => (a.policy < b.policy ? -1 : a.policy > b.policy ? 1 : 0))
}

/** Half of the paths are made to fit some pattern, or nearly. */
function randomRequestPath(random: ReturnType<typeof dice>, lines: readonly Line[]): string {
  const { below, pick } = random
  const words = ['a', 'a', 'A', 'b', 'B', 'ab', 'aB', 'a*', '']
  if (below(2) === 0) return randomPath(random, words) + pick(['', '/'])
  const path = pick(lines)
    .pattern.replaceAll(PLUS, () => pick(words))
    .replace(/\*$/, () => pick(['', ...words]))
  return pick([path, path, path, path.toUpperCase(), `${path}/`, path.replace(/\/$/, '')])
}

test('compileAcl() agrees with the oracle on 20,000 random cases', (t) => {
  t.diagnostic(`ACL_SEED=${seed}`)
  const random = dice(seed)
  let allowed = 0
  for (let set = 0; set < 1000; set++) {
    const lines = randomLines(random)
    const acl = compile(lines)
    for (let i = 0; i < 20; i++) {
      const path = randomRequestPath(random, lines)
      const operation = random.pick(OPERATIONS)
      const { allowed: given, sudo, grantingPolicies } = acl.check({ path, operation })
      deepEqual(
        { allowed: given, sudo, grantingPolicies },
        oracle(lines, path, operation),
        `ACL_SEED=${seed}: ${operation} '${path}' under ${JSON.stringify(lines)}`,
      )
      if (given) allowed++
    }
  }
  t.diagnostic(`${allowed} of 20000 allowed`)
  equal(allowed > 1000, true)
})

test('S02 a deny on a child holds for LIST and SCAN under 500 parents that allow it', (t) => {
  t.diagnostic(`ACL_SEED=${seed}`)
  const { below, pick } = dice(seed + 1)
  for (let pair = 0; pair < 500; pair++) {
    const parent = pick(['kv/metadata/', 'kv/', '', 'kv/metadata/te'])
    const folder = `kv/metadata/${pick(['team', 'test', 'tea+m'])}${below(9)}${pick(['', '/x', '/x/y'])}`
    const end = pick(['', '/', '/*', '*'])
    const exactParent: Line[] =
      end === '/*' && below(3) === 0
        ? [{ policy: 'allow', pattern: folder, capabilities: ['list', 'scan'] }]
        : []
    const lines: Line[] = [
      { policy: 'allow', pattern: `${parent}*`, capabilities: ['list', 'scan', 'read'] },
      ...exactParent,
      { policy: 'deny', pattern: folder + end, capabilities: ['deny'] },
    ]
    const acl = compile(pick([lines, lines.toReversed()]))
    const listed = (path: string) => {
      const answers = [path, `${path}/`, path.toUpperCase()].flatMap((form) =>
        (['list', 'scan'] as const).map((operation) => {
          const verdict = acl.check({ path: form, operation }).allowed
          const message = `ACL_SEED=${seed}: ${operation} '${form}' under ${JSON.stringify(lines)}`
          equal(verdict, oracle(lines, form, operation).allowed, message)
          return verdict
        }),
      )
      return answers.includes(true)
    }
    equal(listed(folder), false, JSON.stringify(lines))
    equal(listed(`${folder}/deep/er`), !end.endsWith('*'), JSON.stringify(lines))
    equal(listed(`kv/metadata/tex${below(9)}`), true, JSON.stringify(lines))
  }
})
