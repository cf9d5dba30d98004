import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { expandSample } from '../../rules/sample.ts'
import { compileRules } from '../../rules/matcher.ts'
import { type Finding, fingerprintOf, masked } from '../finding.ts'
import { newTally } from '../scan.ts'
import { scanText } from '../scan-text.ts'
import { FORMATS, type Format, shown } from './report.ts'
import { SARIF_SCHEMA } from './sarif-schema.test-data.ts'

const matcher = compileRules()
const formats = Object.keys(FORMATS) as Format[]
const forms = new Map(
  await Promise.all(formats.map(async (name) => [name, await FORMATS[name]()] as const)),
)

function findingsIn(text: string, path: string): Finding[] {
  const commit = {
    id: 'c'.repeat(40),
    author: 'A "b" <x>, \n&',
    email: 'a@b.c',
    date: '2026-01-02',
  }
  return scanText(text, { path }, { matcher }).spots.map((spot) => {
    return { ...spot, path, commit, fingerprint: fingerprintOf(spot) }
  })
}

function printed(format: Format, findings: readonly Finding[], reveal = false): string {
  let out = ''
  const sink = { write: (text: string) => void (out += text), colour: false, columns: 80 }
  const reporter = forms.get(format)!(sink)
  for (const finding of findings) reporter.finding(shown(finding, reveal))
  const tally = { ...newTally(), files: 1, bytes: 10 }
  reporter.end({ tally, findings: findings.length, rules: 5, version: '1.2.3' })
  return out
}

const RECIPES = [
  'ghp_{B30}{crc}',
  'password = "{B9}!{B6}"',
  'xoxb-{d12}-{d12}-{B24}',
  'postgres://app:{B16}@db.internal/app',
  '-----BEGIN RSA PRIVATE KEY-----\nMIIEow{s58}\n{s64}\n{s64}\n-----END RSA PRIVATE KEY-----',
]

test('no format shows a secret unless it is asked to, whatever stands beside it', () => {
  const recipe = fc.constantFrom(...RECIPES)
  const line = fc.array(fc.tuple(recipe, fc.string({ maxLength: 5 })), {
    minLength: 1,
    maxLength: 4,
  })
  const separator = fc.constantFrom(' ', '; ', '\n', '\t, ')
  let hits = 0
  fc.assert(
    fc.property(line, separator, fc.nat(), (parts, between, seed) => {
      const text = parts
        .map(([one, rest], i) => expandSample(one, `${seed}/${i}`) + rest)
        .join(between)
      const findings = findingsIn(text, 'a/b.txt')
      hits += findings.length
      for (const format of formats) {
        const out = printed(format, findings)
        // A third of a secret in a row is more than its kind.
        for (const { secret } of findings) {
          const body = secret.replaceAll(/-----[A-Z ]+-----/g, '').trim()
          // The first line of a key by itself says nothing of the key.
          if (body === '') continue
          const third = body.slice(5, 5 + Math.max(6, Math.floor(body.length / 3)))
          ok(!out.includes(third), `${format} shows ${third}`)
        }
      }
    }),
    { numRuns: 150 },
  )
  ok(hits > 200)
})

test('a line of very many secrets, and one that is repeated in a word, show none beside another', () => {
  const many = Array.from({ length: 260 }, (_, i) => expandSample(RECIPES[0]!, `many${i}`))
  const findings = findingsIn(`${many.join(' ')}\n`, 'f')
  equal(findings.length, 260)
  const out = printed('text', findings) + printed('html', findings)
  for (const secret of many) ok(!out.includes(secret.slice(4, 16)))
  const again = printed('text', findingsIn(`key ${many[0]} and x${many[0]}x\n`, 'f'))
  ok(!again.includes(many[0]!.slice(4, 16)))
})

test('with reveal every format has the value', () => {
  const [finding] = findingsIn(`key ${expandSample(RECIPES[0]!)}\n`, 'f')
  for (const format of formats)
    ok(printed(format, [finding!], true).includes(finding!.secret), format)
})

test('masked() tells the kind and no more than a fifth', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 80 }), (secret) => {
      const [first] = masked(secret).split('********')
      ok(first!.length <= Math.min(4, secret.length / 5))
    }),
  )
})

/** A path with all that can break a format. */
const PATH = `we,ird "na<me>" & é %41\n=1+1/it's.txt`
const FINDINGS = findingsIn(`a\nx ${expandSample(RECIPES[0]!)}\n`, PATH)

test('json and jsonl give every field back', () => {
  const all = JSON.parse(printed('json', FINDINGS)) as { findings: unknown[]; summary: object }
  const one = JSON.parse(printed('jsonl', FINDINGS)) as Record<string, unknown>
  deepEqual(all.findings, [one])
  const { rule, path, line, column, value, commit, author, date } = one
  deepEqual(
    { rule, path, line, column, value, commit, author, date },
    {
      rule: FINDINGS[0]!.rule,
      path: PATH,
      line: 2,
      column: 3,
      value: 'ghp_********',
      commit: 'c'.repeat(40),
      author: 'A "b" <x>, \n&',
      date: '2026-01-02',
    },
  )
  match(String(one['fingerprint']), /^[0-9a-f]{24}$/)
  deepEqual(all.summary, {
    ...{
      findings: 1,
      files: 1,
      bytes: 10,
      blobs: 0,
      commits: 0,
      messages: 0,
      rules: 5,
      allowed: 0,
    },
    ...{ skipped: [], left_out: [] },
  })
})

test('csv comes back with every cell, and no cell is a formula', () => {
  const rows = parseCsv(printed('csv', FINDINGS))
  equal(rows.length, 2)
  const row = Object.fromEntries(rows[0]!.map((name, i) => [name, rows[1]![i]]))
  equal(row['path'], PATH)
  equal(row['author'], 'A "b" <x>, \n&')
  const formula = printed('csv', [{ ...FINDINGS[0]!, path: '=cmd|x' }])
  equal(parseCsv(formula)[1]![2], "'=cmd|x")
})

function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g,
  )) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!)
    if (end === '\r\n') rows.push([])
  }
  return rows.slice(0, -1)
}

test('sarif has what code scanning reads, by a schema of those parts', () => {
  const ajv = new Ajv({ strict: true, allErrors: true })
  const valid = ajv.compile(SARIF_SCHEMA)
  const checks: ValidateFunction[] = [valid as ValidateFunction]
  const official = process.env['COFFER_SARIF_SCHEMA']
  if (official !== undefined) {
    const loose = new Ajv2020({ strict: false, validateFormats: false })
    checks.push(loose.compile(JSON.parse(readFileSync(official, 'utf8')) as object))
  }
  for (const findings of [[], FINDINGS, [...FINDINGS, ...FINDINGS]]) {
    const log: unknown = JSON.parse(printed('sarif', findings))
    for (const check of checks) ok(check(log), ajv.errorsText(check.errors))
  }
  const log = JSON.parse(printed('sarif', FINDINGS)) as {
    runs: {
      results: { locations: { physicalLocation: { artifactLocation: { uri: string } } }[] }[]
    }[]
  }
  const { uri } = log.runs[0]!.results[0]!.locations[0]!.physicalLocation.artifactLocation
  equal(decodeURIComponent(uri), PATH)
  ok(URL.canParse(uri, 'file:///base/'))
  // It would notice.
  ok(!valid({ version: '2.1.0', runs: [{ results: [] }] }))
})

test('junit is well-formed and has a failure for each finding, or one test that passed', () => {
  const xml = printed('junit', FINDINGS)
  const tags: string[] = []
  for (const [, close, name, attributes, single] of xml.matchAll(
    /<(\/?)([a-z]+)((?: [a-z]+="[^"<]*")*)(\/?)>/g,
  )) {
    ok(!/&(?!#\d+;)/.test(attributes!), name!)
    if (close) equal(tags.pop(), name)
    else if (!single) tags.push(name!)
  }
  deepEqual(tags, [])
  equal(xml.match(/<failure /g)!.length, 1)
  const [, where] = /classname="([^"]*)"><failure/.exec(xml)!
  equal(
    where!.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))),
    PATH,
  )
  match(printed('junit', []), /tests="1" failures="0"/)
})

test('html holds nothing of a file but text, and loads nothing', () => {
  const page = printed('html', FINDINGS)
  ok(!page.includes('<me>'))
  ok(page.includes('&#60;me&#62;'))
  match(page, /Content-Security-Policy" content="default-src &#39;none&#39;/)
  ok(!/src=|href=|url\(/.test(page))
})

test('github gives one command a line, with nothing that ends it', () => {
  const lines = printed('github', FINDINGS).trimEnd().split('\n')
  equal(lines.length, 1)
  const [, file] = /^::error file=([^,]*),line=2,/.exec(lines[0]!)!
  equal(decodeURIComponent(file!), PATH)
})

test('text shows a caret below the value, fits the width, and steers no terminal', () => {
  const long = `${'x '.repeat(300)}\u001B[31m ${expandSample(RECIPES[0]!)}${' y'.repeat(300)}`
  const out = printed('text', findingsIn(long, 'a\u001B]0;b'))
  const lines = out.split('\n')
  const caret = lines.findIndex((line) => /^ *\^+$/.test(line))
  equal(lines[caret - 1]!.slice(lines[caret]!.indexOf('^'), lines[caret]!.length), 'ghp_********')
  for (const line of lines.slice(1)) ok(line.length <= 80)
  ok(!out.includes('\u001B'))
})
