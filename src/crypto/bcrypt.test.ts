import { equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { bcryptCost, bcryptHash, bcryptMatches } from './bcrypt.ts'

const SALT = Buffer.alloc(16, 7)

/** From the test vectors of jBCrypt and of crypt_blowfish; `$2y$` and `$2b$` are the same algorithm. */
const VECTORS = [
  ['a', '$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe'],
  ['abc', '$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
  ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
] as const

test('bcryptMatches() knows the published vectors', async () => {
  for (const [password, hash] of VECTORS) {
    equal(await bcryptMatches(password, hash), true, hash)
    equal(await bcryptMatches(`${password}x`, hash), false, hash)
  }
})

test('bcryptMatches() is false for anything that is no hash of the password', async () => {
  const hash = await bcryptHash('right', SALT)
  match(hash, /^\$2b\$10\$/)
  equal(bcryptCost(hash), 10)
  equal(await bcryptMatches('right', hash), true)
  for (const wrong of ['', 'Right', 'right ', 'right\0', 'r']) {
    equal(await bcryptMatches(wrong, hash), false, wrong)
  }
})

test('bcryptCost() is undefined for what is not a whole bcrypt hash', () => {
  const whole = VECTORS[0][1]
  for (const text of ['', 'x', whole.slice(1), whole.slice(0, -1), `${whole}.`, ` ${whole}`]) {
    equal(bcryptCost(text), undefined, text)
  }
  equal(bcryptCost(whole.replace('$2a$', '$2x$')), undefined)
})

test('a long password costs no more than a short one, wherever a character is cut', async () => {
  const long = `${'x'.repeat(71)}\u{1f511}${'y'.repeat(100)}`
  const hash = await bcryptHash(long, SALT)
  equal(await bcryptMatches(long, hash), true)
  equal(await bcryptMatches(`${'x'.repeat(71)}\u{1f511}`, hash), true)
  equal(await bcryptMatches(`${'x'.repeat(71)}y`, hash), false)
})

test('a queue that is full refuses at once, and works on what it has', async () => {
  const cheap = VECTORS[0][1].replace('$06$', '$04$')
  const asked = Array.from({ length: 40 }, () => bcryptMatches('a', cheap))
  const results = await Promise.allSettled(asked)
  const refused = results.filter(({ status }) => status === 'rejected')
  equal(refused.length, 8)
  ok(refused.every((result) => (result as PromiseRejectedResult).reason.name === 'BcryptBusyError'))
  await rejects(bcryptMatches('a', 'no hash'), /could not be hashed/)
  equal(await bcryptMatches('a', VECTORS[0][1]), true)
})
