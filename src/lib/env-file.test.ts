import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { parse as dotenv } from 'dotenv'
import fc from 'fast-check'
import { envLine, envValues, parseEnvFile } from './env-file.ts'

const ours = (text: string) => Object.fromEntries(envValues(parseEnvFile(text)))

/** Escaped in a URL. */
const AT = '%40'
const GOLDEN: Record<string, string> = {
  plain: 'A=1\nB=two words\nC=\nD=  trimmed  \n',
  'spaces and colons':
    ' A = 1\nB: yaml\nC:\tx\nD :no\nexport E=1\nexport\tF = 2\nexport=3\nexport =4',
  quotes: `A='single'\nB="double"\nC=\`tick\`\nD="it's"\nE='say "x"'\nF=\`'"\`\nG=""\nH=''`,
  'half quotes': `A='open\nB=x'\nC="a"b"\nD='\nE="\nF=it's\nG='a'b\nH="a" b`,
  escapes:
    String.raw`A="a\nb\rc\td\\e\"f"` +
    '\n' +
    String.raw`B='a\nb\'c'` +
    '\n' +
    String.raw`C=a\nb` +
    '\n' +
    String.raw`D="x\\ny"`,
  'escaped ends':
    String.raw`A='x\'` + '\n' + String.raw`B="y\"` + '\n' + String.raw`C='x\' # c'` + '\nD=1',
  multiline: 'A="one\ntwo\n# three\nfour=4"\nB=\'x\ny\'\nC=`a\n\nb` # comment\nD=5',
  comments: '# A=1\nB=2 # c\nC=3#c\nD="4 # x" # c\nE=\'#\'\nF=#\nG="a"# c\n  # H=1',
  'no interpolation': 'A=1\nB=$A\nC="${A}"\nD=\\$A\nE=$(whoami)',
  CRLF: 'A=1\r\nB="x\r\ny"\r\nC=\'z\'\r\n\r\nD=4\rE=5',
  'byte order mark': '\ufeffA=1\nB=2',
  names: 'a.b=1\nc-d=2\n1=3\n_=4\nö=5\nA B=6\n=7\n',
  'odd lines': 'nothing\nA\n=1\nB:\nC=1\nD=\n"E"\nF==x\nG= =\n   \nH=1\u2028I=2',
  JSON: `A={"a":"b","c":[1,2]}\nB='{"a": "#"}'\nC="{\\"a\\":1}"`,
  twice: 'A=1\nA=2\nA=3',
  URL: `A=postgres://u:p${AT}@h:1/d?x=y&z#f\nB="postgres://u:p@h/d#f"`,
}

for (const [name, text] of Object.entries(GOLDEN)) {
  test(`parseEnvFile() reads as dotenv does: ${name}`, () => {
    deepEqual(ours(text), { ...dotenv(text) })
  })
}

test('parseEnvFile() reads as dotenv does, whatever the text', () => {
  const piece = fc.constantFrom(
    ...['A', 'B', '=', ':', ' ', '\n', '\r\n', '\t', "'", '"', '`', '\\', '#', 'export ', 'x'],
    ...['\\n', '$', '\u2028', '\u00a0', '.', '='],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('')
      deepEqual(ours(text), { ...dotenv(text) })
    }),
    { numRuns: 5_000 },
  )
})

test('envLine() writes what reads back as it was, also by dotenv, or nothing', () => {
  const piece = fc.constantFrom(
    'a',
    ' ',
    '\n',
    '\r',
    "'",
    '"',
    '`',
    '\\',
    '#',
    '$',
    '\\n',
    'ä',
    '=',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const value = pieces.join('')
      const line = envLine('KEY', value)
      if (line === undefined) return
      const text = `X='\n${line}\nY="1"\nZ='`
      equal(ours(`${line}\nY='1'\n`)['KEY'], value)
      equal(dotenv(`${line}\nY='1'\nZ="\`"`)['KEY'], value)
      equal(typeof ours(text), 'object')
    }),
    { numRuns: 5_000 },
  )
  for (const value of [
    '',
    'x',
    'a b',
    'p@ss#1',
    `it's`,
    `"'`,
    'a\nb',
    'a\r\nb',
    '$HOME',
    '{"a":1}',
  ]) {
    equal(dotenv(envLine('KEY', value) ?? '')['KEY'], value)
  }
  equal(envLine('KEY', '\'"`#'), undefined)
  equal(envLine('KEY', 'ends in \\'), undefined)
  equal(envLine('no name', 'x'), undefined)
})

test('parseEnvFile() says where each value stands', () => {
  const { entries, text } = parseEnvFile('# one\n\nA = "x\ny" # c\r\nexport B=  z  # d\nC=')
  deepEqual(
    entries.map(({ name, line, from, to }) => [name, line, text.slice(from, to)]),
    [
      ['A', 3, '"x\ny"'],
      ['B', 5, 'z'],
      ['C', 6, ''],
    ],
  )
})

test('parseEnvFile() takes time in proportion to a hostile text', () => {
  for (const text of ['\n'.repeat(300_000), `A='`.repeat(100_000), 'export '.repeat(100_000)]) {
    equal(parseEnvFile(text).entries.length < 2, true)
  }
})

test('parseEnvFile() takes the field of a bare reference for a part of the value', () => {
  const read = (line: string) => parseEnvFile(`${line}\n`).entries[0]?.value
  equal(read('A=vault://secret/db#password'), 'vault://secret/db#password')
  equal(read('A=vault://secret/db#password # said'), 'vault://secret/db#password')
  equal(read('A=pg://u:${vault://a/b#c}@h/d#x'), 'pg://u:${vault://a/b#c}@h/d')
  equal(read('A=${vault://a/b#c}-${vault://a/b#d}#x'), '${vault://a/b#c}-${vault://a/b#d}')
  equal(read('A=vault://secret/db # said'), 'vault://secret/db')
  equal(read('A=vault://secret/db#'), 'vault://secret/db')
  equal(read('A=http://x/y#z'), 'http://x/y')
})
