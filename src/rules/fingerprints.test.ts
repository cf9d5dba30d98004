import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { formsOf } from './encodings.ts'
import { guessBits, type IndexedValue, makeIndex, openIndex } from './fingerprints.ts'

/** Random to look at, the same in every run. */
const random = (seed: string, length = 24) =>
  createHash('sha512').update(seed).digest('base64').slice(0, length)
const value = (seed: string, version = 1, live = true): IndexedValue => {
  return { value: random(seed), path: `secret/${seed}`, field: 'password', version, live }
}
const index = (...values: IndexedValue[]) => openIndex(makeIndex(values, { now: 0 }))

test('openIndex() finds a value in every form, and says where it is kept', () => {
  const one = value('db', 3)
  const matcher = index(value('other'), one)
  for (const form of formsOf(one.value)) {
    const text = Buffer.concat([Buffer.from('before '), form, Buffer.from(' after')])
    const [found, ...more] = matcher.find(text)
    ok(found, form.toString())
    deepEqual(more, [])
    deepEqual(found.ref, { path: 'secret/db', field: 'password', version: 3, live: true })
    equal(found.start, 7)
  }
})

test('openIndex() finds nothing in text that holds none, and nothing in a part of a value', () => {
  const matcher = index(value('a'), value('b'))
  for (let i = 0; i < 2000; i++) deepEqual(matcher.find(Buffer.from(random(`noise ${i}`, 80))), [])
  deepEqual(matcher.find(Buffer.from(`${random('a').slice(0, -1)} ${random('b').slice(1)}`)), [])
})

test('openIndex() agrees with a plain search, on random texts', () => {
  const values = ['a', 'b', 'c'].map((seed) => value(seed))
  const matcher = index(...values)
  const pieces = [...values.map((one) => one.value), ' ', 'x', random('a').slice(0, 10), '\n']
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 20 }), (parts) => {
      const text = parts.join('')
      const found = matcher.find(Buffer.from(text)).map(({ start, end }) => text.slice(start, end))
      const expected = text.match(
        new RegExp(
          values.map(({ value: v }) => v.replace(/[+/]/g, String.raw`\$&`)).join('|'),
          'g',
        ),
      )
      deepEqual(found, expected ?? [])
    }),
  )
})

test('makeIndex() holds no value, no form of one, and no hash that is not under its key', () => {
  const one = value('db')
  const made = makeIndex([one], { now: 0 })
  const text = JSON.stringify(made)
  const bytes = Buffer.from(made.entries, 'base64')
  for (const form of formsOf(one.value)) {
    ok(!text.includes(form.toString()))
    ok(!bytes.includes(form.subarray(0, 6)))
  }
  // Another index of the same values has nothing in common with it.
  const again = makeIndex([one], { now: 0 })
  ok(made.salt !== again.salt && made.entries !== again.entries)
})

test('makeIndex() leaves out what is easy to guess, and counts it', () => {
  const easy = ['', 'Summer2024!', 'password', '4711', 'correct horse battery', '0123456789012345']
  const values = easy.map((text) => ({ ...value('x'), value: text }))
  const made = makeIndex([...values, value('hard')], { now: 0 })
  equal(made.left_out, easy.length)
  equal(made.refs.length, 1)
})

test('guessBits() is more for what is longer and more random', () => {
  ok(guessBits(random('a', 20)) > 72)
  ok(guessBits('a'.repeat(100)) < 20)
  ok(guessBits('passwordpasswordpassword') < 40)
  ok(guessBits('correct horse battery staple') < guessBits(random('b', 28)))
})

test('makeIndex() tells of the newest place of a value that is in two', () => {
  const twice = [value('a', 1, false), { ...value('a', 2, true), path: 'secret/moved' }]
  const [found] = index(...twice).find(Buffer.from(random('a')))
  equal(found?.ref.path, 'secret/moved')
})

test('openIndex() refuses what is no index, and says what is wrong with it', () => {
  const made = makeIndex([value('a')], { now: 0 })
  throws(() => openIndex({ ...made, format: 'x' as never }), /not of the form/)
  throws(() => openIndex({ ...made, salt: 'AAAA' }), /32 bytes/)
  throws(() => openIndex({ ...made, salt: undefined as never }), /no salt: make it anew/)
  throws(() => openIndex({ ...made, entries: made.entries.slice(0, 8) }), /within an entry/)
  throws(() => openIndex({ ...made, refs: [] }), /reference that is not there/)
})

test('openIndex() takes nothing of a file for what it is not', () => {
  const made = makeIndex([value('a')], { now: 0 })
  const [ref] = made.refs
  const hostile: unknown[] = [undefined, null, 0, 'x', [], {}, [[]], JSON.parse('{"__proto__":{}}')]
  const wrong = hostile.flatMap((one) => [
    one,
    { ...made, format: one },
    { ...made, salt: one },
    { ...made, entries: one },
    { ...made, refs: one },
    { ...made, refs: [one] },
    ...['path', 'field', 'version', 'live'].map((name) => {
      return { ...made, refs: [{ ...ref, [name]: name === 'version' ? String(one) : [one] }] }
    }),
  ])
  for (const index of wrong) {
    throws(() => openIndex(index as never), { name: 'TypeError', message: /index/ })
  }
  const short = Buffer.from(made.entries, 'base64')
  short.writeUIntBE(0, 3, 3)
  throws(() => openIndex({ ...made, entries: short.toString('base64') }), /shorter than its window/)
})

test('openIndex() tells values apart that begin alike, the longest first', () => {
  const start = 'postgres://'
  const values = ['a', 'b', 'c'].map((seed) => ({
    ...value(seed),
    value: `${start}${random(seed, 30)}`,
  }))
  const longer = { ...value('long'), value: `${values[0]!.value}${random('more', 12)}` }
  const matcher = index(...values, longer)
  const text = [...values, longer].map((one) => one.value).join(' ')
  deepEqual(
    matcher.find(Buffer.from(text)).map(({ ref }) => ref.path),
    ['secret/a', 'secret/b', 'secret/c', 'secret/long'],
  )
})
