/**
 * Locks, second factors and rate limits of a real server with two processes, over HTTP: what one
 * process has counted holds for the other, and a restart forgets no lock and no second factor.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { hotp } from '../../src/crypto/totp.ts'
import { http, startServer } from '../support/server.ts'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function keyOf(url: string): Buffer {
  const secret = new URL(url).searchParams.get('secret') ?? ''
  const bits = secret.split('').map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0'))
  return Buffer.from(
    bits
      .join('')
      .match(/.{8}/g)!
      .map((byte) => parseInt(byte, 2)),
  )
}

test('guesses come to an end on two processes, and after a restart', async () => {
  await using server = await startServer({
    kind: 'config',
    workers: 2,
    audit: true,
    hcl: 'user_lockout "userpass" { lockout_threshold = 4 }',
  })
  const root = http(server.address, { token: server.rootToken })
  const nobody = http(server.address)
  await root.write('sys/auth/userpass', { type: 'userpass' })
  for (const user of ['ann', 'bob']) {
    await root.write(`auth/userpass/users/${user}`, { password: 'right' })
  }
  const logIn = (user: string, password: string, headers = {}) =>
    nobody.write(`auth/userpass/login/${user}`, { password }, { headers })

  const statuses: number[] = []
  for (let i = 0; i < 6; i++) statuses.push((await logIn(i % 2 ? 'bob' : 'BOB', 'wrong')).status)
  deepEqual(statuses, [400, 400, 400, 400, 403, 403])

  const entity = String((await logIn('ann', 'right')).at('auth.entity_id'))
  const made = await root.write('identity/mfa/method/totp', {
    issuer: 'coffer',
    method_name: 'app',
    period: '1h',
  })
  const method_id = String(made.at('data.method_id'))
  const enrolled = await root.write('identity/mfa/method/totp/admin-generate', {
    method_id,
    entity_id: entity,
  })
  const url = String(enrolled.at('data.url'))
  const code = hotp(keyOf(url), Math.floor(Date.now() / 3_600_000), {
    algorithm: 'SHA1',
    digits: 6,
  })
  const enforced = await root.write('identity/mfa/login-enforcement/all', {
    mfa_method_ids: [method_id],
    identity_entity_ids: [entity],
  })
  equal(enforced.status, 204)
  await server.restart()

  equal((await logIn('bob', 'right')).status, 403)
  const asked = await logIn('Ann', 'right')
  equal(asked.at('auth.client_token'), '')
  const mfa_request_id = String(asked.at('auth.mfa_requirement.mfa_request_id'))
  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      nobody.write('sys/mfa/validate', { mfa_request_id, mfa_payload: { [method_id]: [code] } }),
    ),
  )
  equal(answers.filter(({ status }) => status === 200).length, 1)
  const reused = await logIn('ann', 'right', { 'X-Vault-MFA': `app:${code}` })
  equal(reused.status, 403)

  const written = readFileSync(server.auditFile, 'utf8')
  // Six digits alone stand in many a hash.
  for (const secret of [
    `"${code}"`,
    `:${code}`,
    mfa_request_id,
    new URL(url).searchParams.get('secret')!,
  ]) {
    ok(!written.includes(secret), 'it is in the audit log')
  }
})

test('a rate limit answers 429 with headers', async () => {
  await using server = await startServer()
  const root = http(server.address, { token: server.rootToken })
  await root.write('sys/quotas/config', { enable_rate_limit_response_headers: true })
  const quota = { path: 'secret/', rate: 2, interval: '1h' }
  equal((await root.write('sys/quotas/rate-limit/q', quota)).status, 204)
  const [first, second, third] = [
    await root.read('secret/data/x'),
    await root.read('secret/data/x'),
    await root.read('secret/data/x'),
  ]
  equal(first.headers.get('x-ratelimit-remaining'), '1')
  equal(second.status, 404)
  equal(third.status, 429)
  deepEqual(third.errors, ['request path "secret/data/x": rate limit quota exceeded'])
  equal(third.headers.get('x-ratelimit-limit'), '2')
  ok(Number(third.headers.get('retry-after')) > 1700)
})
