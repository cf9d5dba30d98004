/** What a login becomes: never root, never past a limit, of the type the mount was told. */
import { ROOT } from './namespaces.ts'
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'
import { type LoginGrant, type TokenParams } from '../kit/reply.ts'
import { issueLogin } from './issue.ts'

const NOW = Date.UTC(2026, 0, 1)
const PARAMS: TokenParams = {
  policies: ['app'],
  ttlSeconds: 0,
  maxTtlSeconds: 0,
  explicitMaxTtlSeconds: 0,
  periodSeconds: 0,
  numUses: 0,
  noDefaultPolicy: false,
  type: 'default',
  boundCidrs: [],
}

async function issued(
  token: Partial<TokenParams>,
  tuned?: string,
  grant: Partial<LoginGrant> = {},
) {
  const { core } = await testCore()
  const tx = (await core.begin(false))!
  const found = (await core.mounts.find(tx, 'auth/approle/login'))!
  const mount = {
    ...found,
    entry: {
      ...found.entry,
      config: { ...found.entry.config, ...(tuned && { token_type: tuned }) },
    },
  }
  return issueLogin(tx, core.tokens, {
    grant: {
      alias: 'a',
      displayName: 'a',
      metadata: {},
      token: { ...PARAMS, ...token },
      ...grant,
    },
    mount,
    ns: ROOT,
    path: 'auth/approle/login',
    now: NOW,
  })
}

test('issueLogin() gives no root, whatever the grant says', async () => {
  const { entry, auth } = await issued({ policies: ['root', 'app'] })
  deepEqual(entry.policies, ['app', 'default'])
  deepEqual(auth['policies'], ['app', 'default'])
  deepEqual((await issued({ policies: ['root'], noDefaultPolicy: true })).entry.policies, [])
})

test('issueLogin() keeps to the shortest of all limits', async () => {
  for (const [limits, seconds] of [
    [{ ttlSeconds: 60 }, 60],
    [{ ttlSeconds: 600, maxTtlSeconds: 60 }, 60],
    [{ ttlSeconds: 600, explicitMaxTtlSeconds: 30, maxTtlSeconds: 60 }, 30],
    [{ ttlSeconds: 10 ** 9 }, 2_764_800],
    [{ periodSeconds: 60, ttlSeconds: 600 }, 60],
    [{ periodSeconds: 600, explicitMaxTtlSeconds: 60 }, 60],
  ] as const) {
    const { entry, auth } = await issued(limits)
    equal(entry.ttlSeconds, seconds)
    equal(entry.expiresAt, NOW + seconds * 1000)
    equal(auth['lease_duration'], seconds)
  }
})

test('issueLogin() makes the type the mount was told, whatever the role wants', async () => {
  for (const [type, tuned, made] of [
    ['default', undefined, 'service'],
    ['batch', undefined, 'batch'],
    ['batch', 'service', 'service'],
    ['service', 'batch', 'batch'],
    ['default', 'default-batch', 'batch'],
    ['service', 'default-batch', 'service'],
  ] as const) {
    equal((await issued({ type }, tuned)).entry.type, made, `${type} on ${tuned}`)
  }
  const { auth, entry } = await issued({ type: 'batch', numUses: 5, periodSeconds: 60 })
  deepEqual([auth['accessor'], auth['renewable'], entry.numUses], ['', false, 0])
  equal(entry.periodSeconds, 0)
  match(String(auth['client_token']), /^hvb\./)
})

test('issueLogin() names the token after its mount, and shows nothing internal', async () => {
  const { auth, entry } = await issued({}, undefined, { internal: { secret: 'CANARY' } })
  equal(entry.displayName, 'approle-a')
  deepEqual(entry.internal, { secret: 'CANARY' })
  ok(!JSON.stringify(auth).includes('CANARY'))
})
