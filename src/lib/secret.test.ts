import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { format, inspect } from 'node:util'
import { Secret } from './secret.ts'

const CANARY = 'canary-7f3a'

test('Secret does not print its value in any form', () => {
  const secret = new Secret(CANARY)
  const loose: unknown = secret
  const forms = [
    String(secret),
    `value: ${String(loose)}, ${[loose].join()}`,
    'text '.concat(loose as string),
    secret.toLocaleString(),
    JSON.stringify(secret),
    JSON.stringify({ deep: [secret] }),
    inspect(secret, { showHidden: true, depth: 9 }),
    inspect({ secret }, { customInspect: false, showHidden: true, depth: 9 }),
    format('%s %o %O %j', secret, secret, secret, secret),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(Object.getOwnPropertyNames(secret)),
    inspect(structuredClone(secret)),
    new Error('no', { cause: secret }).stack ?? '',
    inspect(new Error('no', { cause: secret })),
  ]
  deepEqual(
    forms.filter((form) => form.includes(CANARY)),
    [],
  )
  equal(forms[0], '[secret]')
  equal(forms[4], '"[secret]"')
  equal(inspect(secret), '[secret]')
})

test('Secret is not a number, whatever it holds', () => {
  const loose: unknown = new Secret(42)
  equal(Number(loose), Number.NaN)
})

test('Secret shows its label to inspect only, and gives its value to reveal()', () => {
  const secret = new Secret({ pin: 1234 }, 'secret/door#pin v3')
  equal(inspect(secret), '[secret secret/door#pin v3]')
  equal(String(secret), '[secret]')
  equal(secret.label, 'secret/door#pin v3')
  deepEqual(secret.reveal(), { pin: 1234 })
})
