// CVE-2021-32923 (renewed within a second of its maximum, a token never ended) and its relatives:
// whatever is asked and whenever, a token ends by its maximum.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testCore } from '../../../test/support/test-core.ts'
import { Failure } from '../../kit/failure.ts'
import { type Limits, lifetime } from '../issue.ts'
import { type TokenEntry } from '../tokens.ts'
import { lesser, renewed } from './renewal.ts'

const T0 = Date.UTC(2026, 0, 1)

const ENTRY: TokenEntry = {
  kind: 'token',
  uid: 'u',
  accessor: 'u',
  digest: '',
  policies: ['default'],
  path: 'auth/token/create',
  meta: null,
  displayName: 'token',
  numUses: 0,
  createdAt: T0,
  ttlSeconds: 0,
  expiresAt: 0,
  explicitMaxTtlSeconds: 0,
  periodSeconds: 0,
  maxTtlSeconds: 0,
  renewable: true,
  orphan: true,
  type: 'service',
  entityId: '',
  boundCidrs: [],
}

const seconds = fc.oneof(
  fc.constantFrom(0, 1, 2, 59, 60, 3600, 2_764_800),
  fc.nat({ max: 4_000_000 }),
  fc.nat({ max: 2 ** 33 }),
)
const limits: fc.Arbitrary<Limits> = fc.record({
  ttlSeconds: seconds,
  maxTtlSeconds: seconds,
  explicitMaxTtlSeconds: seconds,
  periodSeconds: seconds,
  mountDefaultSeconds: seconds.map((s) => s + 1),
  mountMaxSeconds: seconds.map((s) => s + 1),
})
/** Where in its life a token is renewed: a share of it, or some milliseconds before its end. */
const moment = fc.oneof(
  fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ beforeEndMs: fc.integer({ min: 0, max: 1000 }) }),
)
type Moment = { share?: number; beforeEndMs?: number }

function momentOf(at: Moment, from: number, end: number): number {
  if (at.beforeEndMs !== undefined) return Math.max(end - at.beforeEndMs, from)
  return Math.floor(from + (end - from) * (at.share ?? 0))
}

/** The latest a token may live by these limits, in ms; Infinity for one that may live for ever. */
function latest(l: Limits): number {
  const explicit = l.explicitMaxTtlSeconds || Infinity
  if (l.periodSeconds > 0) return T0 + explicit * 1000
  return T0 + Math.min(explicit, l.maxTtlSeconds || Infinity, l.mountMaxSeconds) * 1000
}

test('a token ends by its maximum, however and whenever it is renewed', () => {
  let refused = 0
  fc.assert(
    fc.property(
      limits,
      fc.array(fc.record({ at: moment, increment: seconds }), { minLength: 1, maxLength: 4 }),
      (rules, renewals) => {
        const first = lifetime(rules, { issuedAt: T0, now: T0 })
        ok(first.seconds >= 1)
        let entry: TokenEntry = { ...ENTRY, expiresAt: T0 + first.seconds * 1000 }
        ok(entry.expiresAt <= latest(rules))
        let now = T0
        for (const { at, increment } of renewals) {
          now = momentOf(at, now, entry.expiresAt)
          let result
          try {
            result = renewed(entry, rules, { now, increment })
          } catch (error) {
            ok(error instanceof Failure && error.status === 400)
            refused++
            return
          }
          ok(result.seconds >= 1)
          ok(Number.isSafeInteger(result.entry.expiresAt))
          equal(result.entry.expiresAt, now + result.seconds * 1000)
          ok(result.entry.expiresAt > now, 'a renewed token must not have ended')
          ok(result.entry.expiresAt <= latest(rules), 'a token must end by its maximum')
          ok(result.seconds <= rules.mountMaxSeconds)
          equal(result.entry.createdAt, T0)
          entry = result.entry
        }
      },
    ),
    { numRuns: 10_000 },
  )
  ok(refused > 100, 'the last second has not been tried')
})

test('lifetime() caps and warns together', () => {
  fc.assert(
    fc.property(limits, (rules) => {
      const { seconds: given, warnings } = lifetime(rules, { issuedAt: T0, now: T0 })
      const wanted = rules.periodSeconds || rules.ttlSeconds || rules.mountDefaultSeconds
      equal(warnings.length > 0, given < wanted)
      ok(given <= wanted)
    }),
    { numRuns: 2000 },
  )
})

test('lesser() knows that 0 is no limit', () => {
  deepEqual([lesser(0, 0), lesser(0, 5), lesser(5, 0), lesser(3, 5), lesser(5, 3)], [0, 5, 5, 3, 3])
})

test('a token asked for through the API ends by its maximum too', async () => {
  const { ask, clock, core } = await testCore()
  core.expiry.stop()
  const short = fc.integer({ min: 0, max: 5000 })
  await fc.assert(
    fc.asyncProperty(
      fc.record({ ttl: short, explicit_max_ttl: short, period: short }),
      moment,
      short,
      async (wanted, at, increment) => {
        const born = clock.now()
        const made = await ask('write', 'auth/token/create', { policies: ['default'], ...wanted })
        const { client_token: token } = made.body['auth'] as { client_token: string }
        const end = async () => {
          const { body } = await ask('write', 'auth/token/lookup', { token })
          return body.data && Date.parse(String(body.data['expire_time']))
        }
        const explicit = (wanted.explicit_max_ttl || Infinity) * 1000
        const first = await end()
        ok(first && first <= born + explicit)
        clock.advance(momentOf(at, clock.now(), first) - clock.now())
        const { status } = await ask('write', 'auth/token/renew', { token, increment })
        const second = await end()
        // Refused in its last second, it keeps the end it had; past it, it is no token.
        if (second === undefined) ok(clock.now() >= first)
        else ok(second > clock.now() && second <= born + explicit)
        if (status !== 200 && second !== undefined) equal(second, first)
      },
    ),
    { numRuns: 300 },
  )
})
