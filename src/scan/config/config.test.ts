import { deepEqual, equal, match, throws } from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../../test/support/fake-vault.ts'
import { gitRepo } from '../../../test/support/git-repo.ts'
import { placesOf, scanned, tokenOf } from '../../../test/support/scan.ts'
import { readExpr } from './expr.ts'
import { fromRe2, PatternRefused } from './re2.ts'

const HEX = '9f86d081884c7d659a2feaa0c55ad015'
const RULE = `[[rules]]
id = "acme"
description = "A key of Acme"
regex = '''(?i)acme_key\\s*=\\s*"([0-9a-f]{32})"'''
keywords = ["ACME"]
`

/** What is found with a configuration: `path:line:column`, and what was said. */
async function withConfig(config: string, files: Record<string, string>, ...argv: string[]) {
  using repo = gitRepo()
  const commit = repo.commit({ '.gitleaks.toml': config, ...files })
  const ran = await scanned(...argv, repo.folder)
  const places = placesOf(ran.found).map((place) => place.replace(`${repo.folder}/`, ''))
  return { ...ran, places, commit, err: ran.err.replaceAll(repo.folder, '') }
}

test('a configuration that is found counts, alone or beside our rules', async () => {
  const files = { a: `ACME_KEY = "${HEX}"\n`, b: `${tokenOf('one')}\n` }
  deepEqual((await withConfig(RULE, files)).places, ['a:1:13'])
  const both = await withConfig(`[extend]\nuseDefault = true\n${RULE}`, files)
  deepEqual(both.places, ['a:1:13', 'b:1:1'])
  equal(both.found[0]!.rule, 'acme')
  equal(both.found[0]!.value, '9f86********')
  deepEqual((await withConfig(RULE, files, '-no-config')).places, ['b:1:1'])
  // Lists alone are about the rules that there are.
  const lists = await withConfig(`[allowlist]\npaths = ['''^b$''']\n`, files)
  deepEqual(lists.places, [])
  match(lists.err, /Left out, allowed by the configuration: 1/)
})

test('betterleaks before gitleaks, and a file that is named before both', async () => {
  using repo = gitRepo()
  const rule = (id: string, word: string) => `[[rules]]\nid="${id}"\nregex='''${word}-[0-9]{4}'''\n`
  repo.commit({
    '.gitleaks.toml': rule('g', 'gg'),
    '.betterleaks.toml': rule('b', 'bb'),
    'named.toml': rule('n', 'nn'),
    a: 'gg-1234 bb-1234 nn-1234\n',
  })
  const idsOf = async (...argv: string[]) =>
    (await scanned(...argv, join(repo.folder, 'a'))).found.map(({ rule: id }) => id)
  deepEqual(await idsOf(), ['b'])
  deepEqual(await idsOf(`-config=${join(repo.folder, 'named.toml')}`), ['n'])
})

test('rules: entropy, secretGroup, path, path alone, disabled, over another', async () => {
  const rule = (more: string) => `[[rules]]\nid="r"\nregex='''(k)=(\\w{8})'''\n${more}\n`
  const files = { 'a.txt': 'k=aaaaaaaa\nk=q7Zp2mXw\n', 'b.cfg': 'k=q7Zp2mXw\n' }
  deepEqual((await withConfig(rule('secretGroup=2\nentropy=2.5'), files)).places, [
    'a.txt:2:3',
    'b.cfg:1:3',
  ])
  deepEqual((await withConfig(rule(`secretGroup=2\npath='''\\.cfg$'''`), files)).places, [
    'b.cfg:1:3',
  ])
  const alone = `[[rules]]\nid="p"\ndescription="A store of keys"\npath='''\\.p12$'''\n`
  const store = await withConfig(alone, { 'key.p12': '\0\0binary', a: 'a' })
  deepEqual(store.places, ['key.p12:1:1'])
  const off = '[extend]\nuseDefault=true\ndisabledRules=["github-pat","known-prefix"]\n'
  deepEqual((await withConfig(off, { a: tokenOf('one') })).places, [])
  using repo = gitRepo()
  repo.commit({
    'base.toml': `${RULE}\n[[rules.allowlists]]\nstopwords=["9f86"]\n`,
    '.gitleaks.toml': `[extend]\npath="base.toml"\n[[rules]]\nid="acme"\nregex='''other=([0-9a-f]{32})'''\n`,
    a: `acme other=${HEX}\nacme other=${HEX.replace('9f86', 'aaaa')}\n`,
  })
  deepEqual(placesOf((await scanned(repo.folder)).found), [join(repo.folder, 'a:2:12')])
})

test('allowlists: every kind, with OR and AND, on secret, match and line', async () => {
  const files = { 'a.txt': `acme_key = "${HEX}" # demo\n`, 'b.txt': `acme_key = "${HEX}"\n` }
  const placesWith = async (list: string) =>
    (await withConfig(`${RULE}[[rules.allowlists]]\n${list}`, files)).places
  const [both, onlyB, none] = [['a.txt:1:13', 'b.txt:1:13'], ['b.txt:1:13'], []]
  deepEqual(await placesWith(`paths=['''a\\.txt$''']`), onlyB)
  deepEqual(await placesWith(`regexes=['''^9f86''']`), none)
  deepEqual(await placesWith(`regexes=['''demo''']`), both)
  deepEqual(await placesWith(`regexes=['''demo''']\nregexTarget="line"`), onlyB)
  deepEqual(await placesWith(`regexes=['''^acme_key = "9''']\nregexTarget="match"`), none)
  deepEqual(await placesWith(`stopwords=["D081"]`), none)
  deepEqual(
    await placesWith(
      `condition="AND"\npaths=['''b\\.txt$''']\nregexes=['''demo''']\nregexTarget="line"`,
    ),
    both,
  )
  deepEqual(
    await placesWith(
      `condition="AND"\npaths=['''a\\.txt$''']\nregexes=['''demo''']\nregexTarget="line"`,
    ),
    onlyB,
  )
  const target = `${RULE}[[allowlists]]\nregexes=['''^9f86''']\ntargetRules=["other"]\n`
  deepEqual((await withConfig(target, files)).places, both)
})

test('an allowlist of commits is about history', async () => {
  using repo = gitRepo()
  const bad = repo.commit({ a: `acme_key = "${HEX}"\n` })
  repo.commit({ '.gitleaks.toml': `${RULE}[allowlist]\ncommits=["${bad}"]\n` })
  equal((await scanned('-history', repo.folder)).code, 0)
  equal((await scanned(repo.folder)).code, 1)
})

test('what is not understood or cannot be run safely is named and refused', async () => {
  const cases: [config: string, why: RegExp][] = [
    ['this is = no toml = at all', /no TOML: line 1/],
    [`[[rules]]\nid="x"\nregex='''(a+)+$'''\n`, /rule x: regex: .*exponential/],
    [`[[rules]]\nid="x"\nregex='''(?=a)b'''\n`, /rule x: regex: .*kind of group/],
    [`[[rules]]\nid="x"\nregex="a"\nwords=["b"]\n`, /rule x: "words" is not understood/],
    [
      `[[rules]]\nid="x"\nregex="a"\n[[rules.required]]\nid="y"\n`,
      /rule x: "required" is not understood/,
    ],
    [`[[rules]]\nregex="a"\n`, /rule number 1: it has no id/],
    [
      `[[rules]]\nid="x"\nregex="a"\nfilter='''tokenRatio(finding["secret"]) >= 2.5'''\n`,
      /rule x: filter: the expression uses tokenRatio/,
    ],
    [`prefilter='''attributes["size"] > 3'''`, /prefilter: the expression uses attributes\.size/],
    [`[extend]\nurl="https://x"\n`, /extend: "url" is not understood/],
    [`[extend]\npath=".gitleaks.toml"\n`, /four files/],
    [`[allowlist]\ncondition="XOR"\n`, /condition must be OR or AND/],
  ]
  for (const [config, why] of cases) {
    const { code, err } = await withConfig(config, { a: 'text\n' })
    equal(code, 2, config)
    match(err, why)
    match(err, /hint: -skip-refused/)
  }
  const some = `${RULE}[[rules]]\nid="x"\nregex='''(a+)+$'''\n`
  const { places, err } = await withConfig(some, { a: `acme_key = "${HEX}"\n` }, '-skip-refused')
  deepEqual(places, ['a:1:13'])
  match(err, /without rule x: regex/)
})

test('a rule that is slow on a text gives up, says so, and the others go on', async () => {
  const slow = `[[rules]]\nid="slow"\nregex='''(a{0,900}a{0,900}a{0,900}a{0,900})x'''\n${RULE}`
  const { places, err } = await withConfig(slow, {
    a: `${'a'.repeat(5000)}\nacme_key = "${HEX}"\n`,
  })
  deepEqual(
    places.filter((place) => place.startsWith('a:')),
    ['a:2:13'],
  )
  match(err, /Left out, rule slow took too long and was given up: 1 \(.*a\)/)
})

test('filters of betterleaks leave out what they are true of', async () => {
  const files = { 'a/gen.txt': `acme_key = "${HEX}"\n`, 'b.txt': `acme_key = "${HEX}"\n` }
  const placesWith = async (filter: string) =>
    (await withConfig(`prefilter='''\n${filter}\n'''\n${RULE}`, files)).places
  deepEqual(await placesWith('matchesAny(attributes["path"], [`(^|/)a/`, `^x`])'), ['b.txt:1:13'])
  deepEqual(await placesWith('filter.entropy(finding["secret"]) < 5.0'), [])
  deepEqual(await placesWith('entropy(finding["secret"]) < 2'), ['a/gen.txt:1:13', 'b.txt:1:13'])
})

test('readExpr() reads what it knows and refuses the rest by name', () => {
  const facts = {
    secret: 'tss_12',
    match: 'm',
    line: 'an Example',
    path: 'a/b.go',
    commit: 'c1',
    rule: 'r',
  }
  const cases: [string, boolean][] = [
    [`!filter.matchesAny(finding["secret"], ["^(?:[^0-9]*[0-9]){2}"])`, false],
    [`containsAny(finding['line'], ["example"]) && finding["secret"] == 'tss_12'`, true],
    [`get(attributes, "git.sha", "") in ["c0", "c1",]`, true],
    [`(true && false) || !(false) // why\n`, true],
    [`finding["rule_id"] != "r" or attributes["path"] == r"""a/b.go"""`, true],
  ]
  for (const [text, expected] of cases) equal(readExpr(text)(facts), expected, text)
  for (const text of [
    '',
    'x',
    '1 +',
    'matchesAny(x)',
    'env["A"] == ""',
    'a ? b : c',
    '"',
    '((',
    'entropy(',
    'finding["constructor"]',
  ]) {
    throws(() => readExpr(text), PatternRefused, text)
  }
})

test('fromRe2() means what RE2 means', () => {
  const cases: [pattern: string, text: string, expected: string | undefined][] = [
    ['a(?i)b|c', 'aB', 'aB'],
    ['a(?i)b|c', 'C', 'C'],
    ['a(?i)b|c', 'Ab', undefined],
    ['(?i:ab)c', 'ABc', 'ABc'],
    ['(?i)a(?-i:b)', 'AB', undefined],
    ['a.b', 'a\nb', undefined],
    ['a.b', 'a\u2028b', 'a\u2028b'],
    ['(?s)a.b', 'a\nb', 'a\nb'],
    ['^b$', 'a\nb', undefined],
    ['(?m)^b$', 'a\nb\nc', 'b'],
    ['b\\z', 'ab', 'b'],
    ['\\s', '\u00A0', undefined],
    ['\\Qa+b\\E+', 'a+bb', 'a+bb'],
    ['[[:xdigit:]_]{3}', 'zf0_', 'f0_'],
    ['[]a]+', ']a', ']a'],
    ['[a-]+', 'a-', 'a-'],
    ['\\x{41}\\x42\\103', 'ABC', 'ABC'],
    ['(?P<n>x){2}', 'xx', 'xx'],
    ['a{,3}', 'a{,3}', 'a{,3}'],
    ['(?:.|\\s){0,200}?x', 'a\nx', 'a\nx'],
    ['é|ü', 'ü', 'ü'],
  ]
  for (const [pattern, text, expected] of cases)
    equal(fromRe2(pattern).exec(text)?.[0], expected, pattern)
  for (const pattern of [
    '(',
    ')',
    '[',
    'a**',
    '*',
    '(?=a)',
    '(?<=a)',
    '\\1',
    '\\pL',
    'a{1001}',
    'a{3,2}',
    '[b-a]',
    '(?U)a',
    '\\',
    '(\\w+\\s?)*$',
    '(x|xy)*z',
    '(a*)*',
  ]) {
    throws(() => fromRe2(pattern), PatternRefused, pattern)
  }
})

test('a template prints what it says', async () => {
  using repo = gitRepo()
  repo.commit({
    'a"b': `x ${tokenOf('one')}\n`,
    t: '{{#findings}}[{{path|json}} {{line}}:{{ column }} {{value}} {{author}}]\n{{/findings}}{{findings}} in {{files}}\n',
    bad: '{{nope}}',
  })
  const file = join(repo.folder, 'a"b')
  const { code, out } = await runCli(['scan', `-template=${join(repo.folder, 't')}`, file])
  equal(code, 1)
  equal(out, `[${JSON.stringify(file)} 1:3 ghp_******** ]\n1 in 1\n`)
  const bad = await runCli(['scan', `-template=${join(repo.folder, 'bad')}`, file])
  equal(bad.code, 2)
  match(bad.err, /\{\{nope\}\}: there is no such name/)
})
