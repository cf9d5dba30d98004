import { ROOT } from './namespaces.ts'
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'
import { systemRandom } from '../lib/random.ts'
import {
  forgetLease,
  getLease,
  type LeaseEntry,
  leasesOfToken,
  leasesUnder,
  newLeaseId,
  revokeFailed,
  REVOKE_ATTEMPTS_MAX,
  saveLease,
  startRevoking,
} from './leases.ts'

const entry = (id: string, more: Partial<LeaseEntry> = {}): LeaseEntry => ({
  kind: 'lease',
  id,
  mount: 'm',
  leaseKind: 'k',
  secret: {},
  issuedAt: 0,
  expiresAt: 1_000,
  ttlSeconds: 1,
  maxTtlSeconds: 1,
  renewable: true,
  tokenUid: 't1',
  ...more,
})

const begin = async () => (await (await testCore()).core.begin(false))!

test('getLease() takes no id that could name something else', async () => {
  const tx = await begin()
  tx.put('lease/a', entry('a'))
  tx.put('token/a', entry('a'))
  for (const id of ['', '/', 'a/', '/a', '//a', 'a//b', '../token/a', 'a/../a']) {
    equal(await getLease(tx, id), undefined, id)
  }
  ok(await getLease(tx, 'a'))
})

test('leasesUnder() and leasesOfToken() find what is theirs, at the border of a segment', async () => {
  const tx = await begin()
  const ids = ['db/creds/a/1', 'db/creds/a/2', 'db/creds/ab/3', 'db2/creds/a/4']
  for (const [i, id] of ids.entries()) saveLease(tx, entry(id, { tokenUid: i < 2 ? 't1' : 't10' }))
  const under = async (prefix: string) => (await leasesUnder(tx, prefix)).map(({ id }) => id)
  deepEqual(await under('db/creds/a'), ids.slice(0, 2))
  deepEqual(await under('/db/creds/a/'), ids.slice(0, 2))
  deepEqual(await under('db'), ids.slice(0, 3))
  deepEqual(await under('db/creds/a/1'), ids.slice(0, 1))
  equal((await under('')).length, 4)
  deepEqual((await leasesOfToken(tx, 't1')).map(({ id }) => id).sort(), ids.slice(0, 2))
  forgetLease(tx, entry(ids[0]!))
  deepEqual(
    (await leasesOfToken(tx, 't1')).map(({ id }) => id),
    ids.slice(1, 2),
  )
})

test('revokeFailed() waits longer each time and gives up with the last', async () => {
  const tx = await begin()
  saveLease(tx, entry('a'))
  let current = startRevoking(tx, entry('a'), 500)
  equal(current.expiresAt, 500)
  for (let attempt = 1; attempt <= REVOKE_ATTEMPTS_MAX; attempt++) {
    revokeFailed(tx, current, { now: attempt, trouble: 'away' })
    current = (await getLease(tx, 'a'))!
    equal(current.attempts, attempt)
    equal(current.irrevocable ?? false, attempt === REVOKE_ATTEMPTS_MAX)
  }
  equal(startRevoking(tx, current, 9).irrevocable, undefined)
})

test('newLeaseId() is the path with what nobody can guess behind it', () => {
  match(newLeaseId('db/creds/a/', ROOT, systemRandom), /^db\/creds\/a\/[0-9A-Za-z]{24}$/)
})
