import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  BaselineError,
  parseBaseline,
  parseGitleaksIgnore,
  parseSecretsBaseline,
} from './baseline.ts'
import { readExpr } from './config/expr.ts'
import { fromRe2, PatternRefused } from './config/re2.ts'
import { parseConfig } from './config/read-config.ts'
import { parseIgnore } from './ignore-file.ts'
import { newTally } from './scan.ts'
import { readTemplate, TemplateError } from './report/template.ts'

const SEED = Number(process.env['COFFER_SEED'] ?? Date.now() % 2 ** 31)
const ROUNDS = Number(process.env['COFFER_MUTATIONS'] ?? 100_000)

/** mulberry32: small, seeded, good enough to choose with. */
function chooser(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const CONFIG = `title = "x"
[extend]
useDefault = true
disabledRules = ["a"]
[[rules]]
id = "acme"
description = "d"
regex = '''(?i)[\\w.-]{0,50}?(?:key)\\s*=\\s*"([0-9a-f]{32})"'''
secretGroup = 1
entropy = 3.5
keywords = ["acme"]
path = '''(^|/)x$'''
[[rules.allowlists]]
condition = "AND"
paths = ['''a''']
regexes = ['''b''']
regexTarget = "line"
stopwords = ["c"]
`
const FINDING = '{"fingerprint":"0123456789abcdef01234567","rule":"r","path":"p"}'

type Case = { name: string; seeds: string[]; run: (text: string) => unknown }
const CASES: Case[] = [
  {
    name: 'config',
    seeds: [CONFIG],
    run: (text) =>
      parseConfig(text, {
        problems: [],
        extend: () =>
          parseConfig('', {
            problems: [],
            extend: () => {
              throw new Error('deep')
            },
          }),
      }),
  },
  {
    name: 're2',
    seeds: [
      '(?i)[\\w.-]{0,50}?(?:adafruit)(?:[ \\t\\w.-]{0,20})([a-z0-9_-]{32})(?:[\\x60\'"\\s;]|\\\\[nr]|$)',
      '-----BEGIN[ A-Z0-9_-]{0,100}KEY-----[\\s\\S-]{64,}?KEY\\z',
      '\\Qa.b\\E|[[:alpha:]_]+(?P<n>x|y)*?(?s:.)(?-i:c){2,3}\\x{41}\\101',
    ],
    run: fromRe2,
  },
  {
    name: 'expr',
    seeds: [
      'filter.matchesAny(get(attributes, "path", ""), [`a`, r"""b"""]) || !(entropy(finding["secret"]) <= 3.5) && finding["line"] in ["x"]',
    ],
    run: readExpr,
  },
  {
    name: 'baseline',
    seeds: [
      `{"format":"coffer-baseline/1","salt":"${Buffer.alloc(32).toString('base64')}","findings":[${FINDING}]}`,
    ],
    run: parseBaseline,
  },
  {
    name: 'secrets.baseline',
    seeds: ['{"results":{"a":[{"hashed_secret":"ab"}]}}'],
    run: parseSecretsBaseline,
  },
  {
    name: 'gitleaksignore',
    seeds: [`# x\n${'a'.repeat(40)}:p/q:rule:12\np:r:1\n`],
    run: parseGitleaksIgnore,
  },
  {
    name: 'ignore file',
    seeds: ['*.log\n!a/**/b\n/x[!a-c]/\n\\#y\n**/z/**\n a\\ \n[]]\n'],
    run: (text) => parseIgnore(text).verdict('some/folder/file[1].log', false),
  },
  {
    name: 'template',
    seeds: ['{{#findings}}{{path|json}} {{vault.path}}{{/findings}} {{files | xml}}'],
    run: (text) => {
      const out = { write: () => {}, colour: false, columns: 80 }
      readTemplate(text, out).end({ tally: newTally(), findings: 0, rules: 1, version: '1.0.0' })
    },
  },
]
const EXPECTED = [PatternRefused, BaselineError, TemplateError]
const PIECES = [
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '*',
  '+',
  '?',
  '\\',
  '|',
  '"',
  "'",
  '`',
  '\n',
  '\0',
  ',',
  '{0,9999}',
  '[[',
  '(?',
  '(?P<',
  '\uD800',
  '𝒳',
  '"""',
  "'''",
  'null',
  '1e999',
  '-',
  '__proto__',
  '(a+)+',
  '!',
  '**/',
]

/** One to four places changed: cut, doubled, moved, or something put in. */
function mutated(text: string, pick: (below: number) => number): string {
  let result = text
  for (let n = 1 + pick(4); n > 0; n--) {
    const [at, length] = [pick(result.length + 1), pick(12)]
    const [before, piece, after] = [
      result.slice(0, at),
      result.slice(at, at + length),
      result.slice(at + length),
    ]
    const kind = pick(5)
    if (kind === 0) result = before + after
    else if (kind === 1) result = before + piece.repeat(1 + pick(6)) + after
    else if (kind === 2) result = before + PIECES[pick(PIECES.length)]! + piece + after
    else if (kind === 3) result = after + piece + before
    else result = before + String.fromCharCode(pick(256)) + after
  }
  return result
}

test(`no parser crashes on ${ROUNDS.toLocaleString('en-US')} mutated inputs`, () => {
  const pick = chooser(SEED)
  let [refused, taken] = [0, 0]
  for (let i = 0; i < ROUNDS; i++) {
    const { name, seeds, run } = CASES[i % CASES.length]!
    const text = mutated(seeds[pick(seeds.length)]!, pick)
    try {
      run(text)
      taken++
    } catch (error) {
      if (!EXPECTED.some((kind) => error instanceof kind)) {
        throw new Error(`COFFER_SEED=${SEED}: ${name}: ${JSON.stringify(text)}`, { cause: error })
      }
      refused++
    }
  }
  // Both happen, or it is no test of either.
  ok(refused > ROUNDS / 20 && taken > ROUNDS / 20, `${refused} refused, ${taken} taken`)
})
