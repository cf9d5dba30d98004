import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatch } from './glob.ts'

const table: [string, string, boolean][] = [
  ['', 'a', false],
  ['a', 'A', false],
  ['a', 'ab', false],
  ['a*b', 'axb', false],
  ['a*', 'ba', false],
  ['*a', 'ab', false],
  ['*a*', 'bbb', false],
  ['*a*b*', 'xaxbx', false],
  ['', '', true],
  ['a*b', 'a*b', true],
  ['*', '', true],
  ['**', '', true],
  ['*', 'anything', true],
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['*c', 'abc', true],
  ['*b*', 'abc', true],
  ['*a*b*', 'xa*bx', true],
]

for (const [pattern, text, expected] of table) {
  test(`globMatch() says ${expected} to '${text}' for '${pattern}'`, () => {
    equal(globMatch(pattern, text), expected)
  })
}

test('globMatch() agrees with the regular expression of the same glob', () => {
  const words = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 5 })
  fc.assert(
    fc.property(words, words, (pattern, text) => {
      const [, open = '', middle = '', close = ''] = /^(\*?)([^]*?)(\*?)$/.exec(pattern) ?? []
      const source = `^${open && '[^]*'}${middle.replaceAll(/[*.]/g, String.raw`\$&`)}${close && '[^]*'}$`
      equal(globMatch(pattern, text), new RegExp(source).test(text))
    }),
    { numRuns: 1000 },
  )
})
