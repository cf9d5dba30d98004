/** What a name or password brings can never end the quotes around it, or begin a statement. */
import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MYSQL, POSTGRES, StatementError, statementsOf } from './statements.ts'

test('statementsOf() refuses a value outside quotes unless it is a plain name', () => {
  for (const name of ['a b', 'a;b', 'a-b', "a'b", '', '1a', 'ä']) {
    throws(() => statementsOf(['DROP ROLE {{name}}'], { name }, POSTGRES), StatementError, name)
  }
  deepEqual(statementsOf(['DROP ROLE {{name}}'], { name: 'app_1' }, POSTGRES), ['DROP ROLE app_1'])
})

test('statementsOf() refuses quotes between dollar quotes, a NUL, and a quote that is not closed', () => {
  const block = ["DO $$ BEGIN EXECUTE 'DROP ROLE {{name}}'; END $$"]
  for (const name of ["a'b", '$$', '"', '\\', ';']) {
    throws(() => statementsOf(block, { name }, POSTGRES), StatementError, name)
  }
  throws(() => statementsOf(['SELECT "{{name}}"'], { name: 'a\0' }, POSTGRES), StatementError)
  throws(() => statementsOf(["SELECT 'a"], {}, POSTGRES), StatementError)
})

test('statementsOf() cuts at semicolons that are no part of a text or a comment', () => {
  const text = `SELECT ';'; SELECT ";"; DO $x$ a; b $x$; -- one; two
    SELECT 1 /* ; */; ; `
  deepEqual(statementsOf([text], {}, POSTGRES), [
    "SELECT ';'",
    'SELECT ";"',
    'DO $x$ a; b $x$',
    'SELECT 1',
  ])
  deepEqual(statementsOf(['SELECT "a;\\";b"; SELECT `;`'], {}, MYSQL), [
    'SELECT "a;\\";b"',
    'SELECT `;`',
  ])
})

test('statementsOf() takes a list in JSON, and either in base64', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  for (const text of [
    '["SELECT 1, 2; SELECT 3"]',
    base64('SELECT 1, 2; SELECT 3'),
    base64('["SELECT 1, 2","SELECT 3"]'),
  ]) {
    deepEqual(statementsOf([text], {}, POSTGRES), ['SELECT 1, 2', 'SELECT 3'])
  }
})

test('statementsOf() escapes as the place demands', () => {
  const name = `a'b"c\`d\\e`
  equal(statementsOf([`'{{name}}'`], { name }, POSTGRES)[0], `'a''b"c\`d\\e'`)
  equal(statementsOf([`E'{{name}}'`], { name }, POSTGRES)[0], `E'a''b"c\`d\\\\e'`)
  equal(statementsOf([`"{{name}}"`], { name }, POSTGRES)[0], `"a'b""c\`d\\e"`)
  equal(statementsOf([`'{{name}}'`], { name }, MYSQL)[0], `'a''b"c\`d\\\\e'`)
  equal(statementsOf(['`{{name}}`'], { name }, MYSQL)[0], `\`a'b"c\`\`d\\e\``)
  equal(statementsOf([`'{{other}}'`], { name }, MYSQL)[0], `'{{other}}'`, 'unknown ones stay')
})

test('statementsOf() never makes more statements of a value than there were', () => {
  const texts = [`CREATE ROLE "{{name}}" PASSWORD '{{name}}'; SELECT E'{{name}}'`]
  const mysql = ["CREATE USER '{{name}}'@'%' IDENTIFIED BY \"{{name}}\"; SELECT `{{name}}`"]
  const hostile = fc.string({ unit: fc.constantFrom(...Array.from(`'"\`\\;$-/* a\n{}E`)) })
  fc.assert(
    fc.property(hostile, (name) => {
      for (const [given, dialect] of [
        [texts, POSTGRES],
        [mysql, MYSQL],
      ] as const) {
        const made = statementsOf(given, { name }, dialect)
        equal(made.length, 2)
        // What was made is read as the same statements again.
        deepEqual(statementsOf([made.join(';')], {}, dialect), made)
      }
    }),
    { numRuns: 2000 },
  )
})
