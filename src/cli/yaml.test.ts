import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from '../lib/json.ts'
import { toYaml } from './yaml.ts'

const cases: [name: string, value: unknown, text: string][] = [
  ['null', null, 'null'],
  ['an empty map', {}, '{}'],
  ['an empty list', [], '[]'],
  ['plain words', { a: 'x y', b: 1, c: true }, 'a: x y\nb: 1\nc: true'],
  ['keys in byte order', { b: 1, a: 2, B: 3 }, 'B: 3\na: 2\nb: 1'],
  ['a list under its key', { a: ['x', 'y'] }, 'a:\n- x\n- "y"'],
  ['a map in a list', [{ a: 1, b: 2 }, { a: 3 }], '- a: 1\n  b: 2\n- a: 3'],
  ['a list in a list', [[1, 2], [3]], '- - 1\n  - 2\n- - 3'],
  ['depth', { a: { b: { c: [] } } }, 'a:\n  b:\n    c: []'],
  ['what could be read as a number', { a: '1', b: '1e3', c: '0x1' }, 'a: "1"\nb: "1e3"\nc: "0x1"'],
  [
    'what could be read as a word',
    { a: 'yes', b: 'null', c: 'Off' },
    'a: "yes"\nb: "null"\nc: "Off"',
  ],
  [
    'what starts another thing',
    { a: '- x', b: '#c', c: 'k: v', d: '' },
    'a: "- x"\nb: "#c"\nc: "k: v"\nd: ""',
  ],
  ['a time', { a: '2026-01-02' }, 'a: "2026-01-02"'],
  ['several lines', { a: 'x\ny\n' }, 'a: |\n  x\n  y'],
  ['several lines without an end', { a: 'x\n\ny' }, 'a: |-\n  x\n\n  y'],
  ['lines that start with space', { a: ' x\ny' }, 'a: " x\\ny"'],
  ['control characters', { a: 'x\u0000\ny' }, 'a: "x\\u0000\\ny"'],
  ['quotes', { a: 'say "hi"' }, 'a: "say \\"hi\\""'],
  ['an odd key', { 'a b': 1, 'x:y': 2, '1': 3 }, '"1": 3\na b: 1\n"x:y": 2'],
]
for (const [name, value, text] of cases) {
  test(`toYaml() prints ${name}`, () => equal(toYaml(value), text))
}

test('toYaml() keeps numbers digit for digit', () => {
  equal(toYaml(parseJson('{"n":12345678901234567890}')), '"n": 12345678901234567890')
})
