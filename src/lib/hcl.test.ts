import { deepEqual, equal, fail, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  HclError,
  type HclItem,
  type HclObject,
  type HclValue,
  isHclObject,
  parseHcl,
  parseHclJson,
  parseHclOrJson,
} from './hcl.ts'

const blocks = { path: 1, storage: 1, telemetry: 0 }

/** Items as plain rows, without lines: `[key, ...labels, value]`. */
function rows(value: HclValue): unknown {
  if (Array.isArray(value)) return value.map(rows)
  if (!isHclObject(value)) return value
  return value.items.map((item) => [item.key, ...item.labels, rows(item.value)])
}
const read = (text: string) => rows(parseHcl(text))
const readOne = (text: string) => parseHcl(`k = ${text}`).items[0]?.value

const refused: [string, number, RegExp][] = [
  ['a', 1, /'=' or '\{'/],
  ['a = ', 1, /expected a value/],
  ['a = b', 1, /expected a value/],
  ['a = null', 1, /expected a value/],
  ['\n\na = "hunter2', 3, /close the string/],
  ['a = "x\ny"', 1, /close the string/],
  ['a = "\\q"', 1, /unknown escape/],
  ['a = "\\ud800"', 1, /no character/],
  ['a = "\\U00110000"', 1, /no character/],
  ['a = "\\xff"', 1, /not UTF-8/],
  ['a = "${b"', 1, /'\}' to close/],
  ['a = [1 2]', 1, /',' or '\]'/],
  ['a = [,]', 1, /expected a value/],
  ['a = [1', 1, /',' or '\]'/],
  ['a {', 1, /'\}' before the end/],
  ['}', 1, /closes nothing/],
  ['a = 1\n}', 2, /closes nothing/],
  ['a "b" = 1', 1, /'\{' or a label/],
  ['= 1', 1, /expected a key/],
  ['a = 1x', 1, /expected a value/],
  ['a = 0x', 1, /expected a value/],
  ['a = 089', 1, /octal/],
  ['a = 1e999', 1, /too large/],
  ['a = 9007199254740993', 1, /too large/],
  ['/* open', 1, /close a comment/],
  ['a = 1 / b', 1, /expected a key/],
  ['\na = <<EOF\nx\n', 4, /heredoc opened on line 2/],
  ['a = <<\nx', 1, /heredoc mark/],
  [`${'a {\n'.repeat(65)}${'}'.repeat(65)}`, 65, /too deep/],
  [`a = ${'['.repeat(100_000)}`, 1, /too deep/],
  ['#'.repeat(1024 * 1024 + 1), 1, /too long/],
]

for (const [text, line, problem] of refused) {
  test(`parseHcl() refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
    throws(() => parseHcl(text), { name: 'HclError', line, message: problem })
  })
}

test('parseHcl() never quotes the text in an error', () => {
  for (const text of ['a = hunter2', 'hunter2', 'a = "hunter2', 'a = [hunter2]', 'a = <<hunter2']) {
    throws(
      () => parseHcl(text),
      (error: Error) => !error.message.includes('hunter2'),
    )
  }
})

test('parseHcl() reads a policy, with lines', () => {
  const text = `
    # comment
    path "secret/*" { // more
      capabilities = ["read", "list",] /* and
      more */ comment = "c"
    }
    path "secret/*" { allowed_parameters = { "a" = [] b = ["1"] } }`
  deepEqual(read(text), [
    [
      'path',
      'secret/*',
      [
        ['capabilities', ['read', 'list']],
        ['comment', 'c'],
      ],
    ],
    [
      'path',
      'secret/*',
      [
        [
          'allowed_parameters',
          [
            ['a', []],
            ['b', ['1']],
          ],
        ],
      ],
    ],
  ])
  const [first, second] = parseHcl(text).items
  equal(first?.line, 3)
  equal(second?.line, 7)
  ok(first && isHclObject(first.value))
  deepEqual(
    first.value.items.map((item) => item.line),
    [4, 5],
  )
})

test('parseHcl() reads server configuration', () => {
  const text =
    'ui = true\nlistener "tcp" {\n address = "[::]:8200"\r\n x { y = 1 } }\napi.addr = -1'
  deepEqual(read(text), [
    ['ui', true],
    [
      'listener',
      'tcp',
      [
        ['address', '[::]:8200'],
        ['x', [['y', 1]]],
      ],
    ],
    ['api.addr', -1],
  ])
  deepEqual(read(''), [])
  equal(parseHcl('a {}\nb = []\n'.repeat(100)).items.length, 200)
  deepEqual(read('\ufeffa = 1, b = 2 c = 3'), [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ])
  deepEqual(read('"a b" tcp "c" {}'), [['a b', 'tcp', 'c', []]])
})

const values: [string, HclValue][] = [
  ['0', 0],
  ['-0', 0],
  ['42', 42],
  ['-7', -7],
  ['1.5', 1.5],
  ['-2.5e-3', -0.0025],
  ['1e3', 1000],
  ['0x1F', 31],
  ['0xe0', 224],
  ['0755', 493],
  ['true', true],
  ['false', false],
  [String.raw`"a\n\t\"\\\r\u00e9\U0001F600"`, 'a\n\t"\\\ré😀'],
  [String.raw`"\101\x42\a\b\f\v"`, 'AB\x07\b\f\v'],
  [String.raw`"\xc3\xa9 \303\251"`, 'é é'],
  [String.raw`"\xef\xbb\xbf"`, '\ufeff'],
  ['"$ $$ ${a("b", {c}) } {{x}}"', '$ $$ ${a("b", {c}) } {{x}}'],
  ['<<EOF\na\n  b\nEOF\n', 'a\n  b\n'],
  ['<<EOF\nEOF', ''],
  ['<<EOF\n  EOF\nEOF', '  EOF\n'],
  ['<<-EOF\n    a\n      b\n    EOF\n', 'a\n  b\n'],
  ['<<-EOF\n  a\n b\n  EOF\n', '  a\n b\n'],
  ['<<EOF\r\na\r\nEOF\r\n', 'a\r\n'],
]

for (const [text, value] of values) {
  test(`parseHcl() reads the value ${JSON.stringify(text)}`, () => deepEqual(readOne(text), value))
}

test('parseHcl() goes on after a heredoc', () => {
  deepEqual(read('a = <<X\nb\nX\nc = 1'), [
    ['a', 'b\n'],
    ['c', 1],
  ])
})

const refusedJson: [string, number, RegExp][] = [
  ['[]', 1, /expected '\{'/],
  ['{', 1, /quoted key/],
  ['{"a":1,}', 1, /quoted key/],
  ['{"a":1}\n x', 2, /end of the text/],
  ['{"a" 1}', 1, /':'/],
  ['{"a":[1 2]}', 1, /',' or '\]'/],
  ['{"a":1 "b":2}', 1, /',' or '\}'/],
  ['{"a":\n hunter2}', 2, /JSON value/],
  ['{"a":"hunter2', 1, /close the string/],
  ['{"a":"hun\nter2"}', 2, /valid JSON string/],
  ['{"a":"\\', 1, /close the string/],
  ['{"a":01}', 1, /JSON value/],
  ['{"a":9007199254740993}', 1, /too large/],
  ['{"path":{\n"a":"hunter2"}}', 2, /expected an object/],
  ['{"path":"hunter2"}', 1, /expected an object/],
  ['{"path":["hunter2"]}', 1, /expected an object/],
  [`{"a":${'['.repeat(100_000)}`, 1, /too deep/],
]

for (const [text, line, problem] of refusedJson) {
  test(`parseHclJson() refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
    throws(
      () => parseHclJson(text, { blocks }),
      (error: Error) => {
        ok(error instanceof HclError)
        equal(error.line, line)
        return problem.test(error.message) && !error.message.includes('hunter2')
      },
    )
  })
}

test('parseHclJson() gives the shape of the same HCL', () => {
  const json = `{"ui": true, "path": {
    "a": {"capabilities": ["read"]},
    "a": {"capabilities": ["deny"]}, "b": [{}, {"x": null}] },
    "path": [{"c": {}}, {"d": {"path": {"k": {}}}}], "telemetry": {"n": -1.5}}`
  const parsed = parseHclOrJson(json, { blocks })
  deepEqual(rows(parsed), [
    ['ui', true],
    ['path', 'a', [['capabilities', ['read']]]],
    ['path', 'a', [['capabilities', ['deny']]]],
    ['path', 'b', []],
    ['path', 'b', [['x', null]]],
    ['path', 'c', []],
    ['path', 'd', [['path', [['k', []]]]]],
    ['telemetry', [['n', -1.5]]],
  ])
  equal(parsed.items[2]?.line, 3)
})

test('parseHclJson() treats hostile names as names', () => {
  deepEqual(rows(parseHclJson('{"__proto__":{"a":1},"constructor":2}', { blocks })), [
    ['__proto__', [['a', 1]]],
    ['constructor', 2],
  ])
})

test('parseHclOrJson() tells the two apart by the first character', () => {
  deepEqual(rows(parseHclOrJson(' \n{"a": 1}', { blocks })), [['a', 1]])
  deepEqual(rows(parseHclOrJson('a = 1', { blocks })), [['a', 1]])
})

function print(value: HclValue): string {
  if (typeof value === 'string') {
    const escaped = JSON.stringify(value).replaceAll('\\/', '/').replaceAll('$', '\\u0024')
    return escaped
  }
  if (Array.isArray(value)) return `[${value.map(print).join(', ')}]`
  return isHclObject(value) ? `{\n${printItems(value)}}` : String(value)
}
function printItems({ items }: HclObject): string {
  const head = (item: HclItem) => [item.key, ...item.labels].map((word) => print(word)).join(' ')
  return items
    .map((item) => `${head(item)} ${item.labels.length ? '' : '= '}${print(item.value)}\n`)
    .join('')
}

const word = fc.string({ unit: 'grapheme', maxLength: 12 })
const { object } = fc.letrec<{ value: HclValue; object: HclObject; item: HclItem }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.integer(),
    // Whole numbers past 2^53 are refused, as they could not be kept.
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((n) => !Number.isInteger(n) || Number.isSafeInteger(n))
      .map((n) => (n === 0 ? 0 : n)),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.record({ items: fc.array(tie('item'), { maxLength: 4, depthIdentifier: 'o' }) }),
  item: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'o' },
    fc.record({
      key: word,
      labels: fc.constant<string[]>([]),
      value: word,
      line: fc.constant<number>(0),
    }),
    fc.record({
      key: word,
      labels: fc.constant<string[]>([]),
      value: tie('value'),
      line: fc.constant<number>(0),
    }),
    fc.record({
      key: word,
      labels: fc.array(word, { minLength: 1, maxLength: 3 }),
      value: tie('object'),
      line: fc.constant<number>(0),
    }),
  ),
}))

test('parseHcl() reads back what was printed', () => {
  fc.assert(
    fc.property(object, (value) => deepEqual(rows(parseHcl(printItems(value))), rows(value))),
  )
})

test('parseHclJson() reads what JSON.parse reads', () => {
  const plain = (value: HclValue): unknown => {
    if (Array.isArray(value)) return value.map(plain)
    if (!isHclObject(value)) return value
    return Object.fromEntries(value.items.map((item) => [item.key, plain(item.value)]))
  }
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const text = JSON.stringify(value, (_, v: unknown) => (typeof v === 'number' ? v % 1e9 : v))
      deepEqual(plain(parseHclJson(text, { blocks: {} })), JSON.parse(text))
    }),
  )
})

test('the readers throw nothing but HclError', () => {
  const pieces = ['{', '}', '[', ']', '=', '"', '\\', '$', '${', ',', ':', '\n', ' ', '<<', '<<-X']
  const more = [
    'X',
    'a',
    '1',
    '-',
    '0x',
    '1e9',
    '#',
    '//',
    '/*',
    '*/',
    'true',
    'é',
    '\ud800',
    '\\u',
  ]
  const noise = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(...pieces, ...more), { maxLength: 60 }).map((all) => all.join('')),
  )
  fc.assert(
    fc.property(noise, (text) => {
      for (const parse of [parseHcl, (t: string) => parseHclJson(t, { blocks })]) {
        try {
          parse(text)
        } catch (error) {
          if (!(error instanceof HclError)) fail(`threw ${String(error)}`)
        }
      }
    }),
    { numRuns: 3000 },
  )
})

test('the readers stay quick on long hostile text', () => {
  const units = [
    'a{}',
    '"',
    '\\',
    '/*',
    '#\n',
    '\n',
    'a="${',
    '[',
    '<<A\n',
    '{"a":',
    'a ',
    '1',
    '-',
  ]
  const started = performance.now()
  for (const unit of units) {
    for (const text of [unit.repeat(100_000 / unit.length), `a = "${unit.repeat(30_000)}`]) {
      for (const parse of [parseHcl, (t: string) => parseHclJson(t, { blocks })]) {
        try {
          parse(text)
        } catch (error) {
          ok(error instanceof HclError)
        }
      }
    }
  }
  const elapsed = performance.now() - started
  ok(elapsed < 2000, `took ${elapsed.toFixed()} ms`)
})
