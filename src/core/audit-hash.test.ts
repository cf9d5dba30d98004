import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { JsonText } from '../kit/json-text.ts'
import { parseJson } from '../lib/json.ts'
import { hasher } from './audit-hash.ts'

const SALT = '6c3dbc11-4e2f-4b6f-9e59-5b0e6a4b0e0d'
const NONE: ReadonlySet<string> = new Set()
const HASH = /^hmac-sha256:[0-9a-f]{64}$/
const device = hasher(SALT)
const hash = (value: string) => device.hash(value)
const text = (value: unknown, clear: ReadonlySet<string>) => device.text(value, clear)
const parsed = (value: unknown, clear = NONE) => JSON.parse(text(value, clear)) as unknown

test('hash() is the HMAC of the text under the salt as it is written', () => {
  for (const value of ['hunter2', '', 'é', 'x'.repeat(10_000)]) {
    const expected = createHmac('sha256', SALT).update(value).digest('hex')
    equal(hash(value), `hmac-sha256:${expected}`)
    equal(hash(value), `hmac-sha256:${expected}`)
    notEqual(hasher('another').hash(value), hash(value))
  }
})

test('text() tells a number, a truth and a text apart', () => {
  const hashes = [1, '1', true, 'true', 'number:1'].map((value) => parsed(value))
  equal(new Set(hashes).size, 4)
  // Documented: a text that looks like the typed form of a number hashes as that number does.
  equal(hashes[0], hashes[4])
  match(parsed(parseJson('12345678901234567890')) as string, HASH)
  equal(parsed(null), null)
})

test('text() leaves times and clear keys, and nothing that only looks like them', () => {
  const time = '2026-11-23T22:55:08.123Z'
  equal(parsed(time), time)
  for (const odd of [`${time} hunter2`, `hunter2 ${time}`, '2026-11-23', '20:00:00Z']) {
    match(parsed(odd) as string, HASH)
  }
  deepEqual(parsed({ a: 'x', b: { a: [1] } }, new Set(['a'])), { a: 'x', b: { a: [1] } })
})

test('text() keeps the shape and no leaf of any JSON', () => {
  const leaf = fc.oneof(fc.string({ minLength: 4 }), fc.integer({ min: 100_000 }), fc.boolean())
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree')),
      fc.dictionary(fc.string(), tie('tree')),
    ),
  }))
  const check = (value: unknown, shown: unknown): void => {
    if (Array.isArray(value)) {
      ok(Array.isArray(shown) && shown.length === value.length)
      value.forEach((item, i) => check(item, shown[i]))
    } else if (typeof value === 'object' && value !== null) {
      const object = shown as Record<string, unknown>
      deepEqual(Object.keys(object).sort(), Object.keys(value).sort())
      for (const [name, item] of Object.entries(value)) check(item, object[name])
    } else match(shown as string, HASH)
  }
  fc.assert(fc.property(tree, (value) => check(JSON.parse(JSON.stringify(value)), parsed(value))))
})

test('text() of a reply that is kept as text is that of its value', () => {
  const reply = new JsonText('{"a":{"b":"hunter2"}}')
  equal(text(reply, NONE), text({ a: { b: 'hunter2' } }, NONE))
  equal(text(reply, NONE), text(reply, NONE))
  equal(text(reply, new Set(['b'])), '{"a":{"b":"hunter2"}}')
})
