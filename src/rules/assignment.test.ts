import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { endOfName, valueAfter } from './assignment.ts'

/** The value that follows the first `pass` in a text. */
function valueIn(text: string): string | undefined {
  const at = text.indexOf('pass')
  const found = valueAfter(text, endOfName(text, at + 4), at)
  return found === undefined ? undefined : text.slice(found.start, found.end)
}

test('valueAfter() reads what is assigned in every syntax', () => {
  for (const text of [
    'passWord = "v4lue"',
    "pass='v4lue'",
    'pass := `v4lue`',
    'pass ?= "v4lue"',
    'pass ::= "v4lue"',
    'const pass: string = "v4lue"',
    'var pass string = "v4lue"',
    'val pass: String? = "v4lue"',
    '$pass .= "v4lue"',
    'pass ||= "v4lue"',
    'env.pass ?? "v4lue"',
    'getenv("pass") ?: "v4lue"',
    '"pass": "v4lue"',
    "'pass' => 'v4lue'",
    '\\"pass\\":\\"v4lue\\"',
    '{pass: v4lue}',
    'pass: v4lue # why',
    'pass: |\n  v4lue',
    'pass: >-\n    v4lue\n',
    '<pass>v4lue</pass>',
    '<pass>\n  v4lue\n</pass>',
    'PASS=1 pass=v4lue',
    'export DB_pass=v4lue',
    'ENV pass v4lue'.replace(' v', '=v'),
    'pass=v4lue\\nNEXT=1',
    '?user=a&pass=v4lue&x=1',
    'set("pass", "v4lue")',
    'password("v4lue")',
    'pass "v4lue"',
    'x["pass"] = "v4lue"',
    'cmd --pass v4lue',
    'cmd --pass=v4lue',
    'pass = b"v4lue"',
    'pass = new Secret("v4lue")',
    'pass =\n  "v4lue"',
    'pass is v4lue',
    'the pass phrase: v4lue',
    'pass -> "v4lue"',
    'pass = "v4lue',
  ]) {
    equal(valueIn(text), text.endsWith('"v4lue') ? undefined : 'v4lue', text)
  }
})

test('valueAfter() leaves alone what assigns nothing', () => {
  for (const text of [
    'pass',
    'pass through',
    'pass, and go',
    '"the pass", "v4lue"',
    'pass(v4lue)',
    'a.pass.b()',
    'pass\nv4lue',
    'pass:\nnext: v4lue',
    'pass="',
    'if (pass) "v4lue"',
    'pass = "v4\nlue"',
  ]) {
    equal(valueIn(text), undefined, text)
  }
})

test('valueAfter() ends a value at its own quote', () => {
  equal(valueIn(`pass = "a'b\\"c"`), `a'b\\"c`)
  equal(valueIn(`pass = 'a"b'`), 'a"b')
  equal(valueIn(`\\"pass\\": \\"a'b\\", \\"x\\"`), `a'b`)
})
