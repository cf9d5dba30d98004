import { equal, ok } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  CHALLENGE,
  client,
  codeFor,
  done,
  exchange,
  oidcCore,
  person,
  redeeming,
  VERIFIER,
} from '../../../../test/support/oidc.ts'
import { type NamedKey } from './key.ts'

test('the audit log has no key, secret, code or token of OIDC in clear', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-oidc-'))
  const file = join(dir, 'audit.log')
  try {
    const core = await oidcCore()
    await done(core, 'sys/audit/file', { type: 'file', options: { file_path: file } })
    const ann = await person(core, 'ann')
    const app = await client(core, 'app')
    await done(core, 'identity/oidc/role/r', { key: 'default' })
    const pkce = { code_challenge: CHALLENGE, code_challenge_method: 'S256' }
    const code = await codeFor(core, ann, app, pkce)
    const data = redeeming(app, code, { code_verifier: VERIFIER })
    const { status, body } = await exchange(core, data)
    equal(status, 200)
    const userinfo = 'identity/oidc/provider/default/userinfo'
    const token = String(body['access_token'])
    equal((await core.ask('read', userinfo, {}, { token })).status, 200)
    const issued = await core.ask('read', 'identity/oidc/token/r', {}, { token: ann.token })
    const jwt = String(issued.body.data?.['token'])
    await core.ask('write', 'identity/oidc/introspect', { token: jwt })
    const basic = Buffer.from(`${app.client_id}:${app.client_secret}`).toString('base64')
    await exchange(core, { ...data, client_id: '' }, { Authorization: `Basic ${basic}` })

    const tx = (await core.core.begin(false))!
    const { signing, next } = (await tx.get<NamedKey>('identity-oidc/key/default'))!
    const log = readFileSync(file, 'utf8')
    ok(log.includes('oidc/provider/default/token'))
    const secrets = {
      'the key that signs': signing.jwk.d!,
      'the next key': next.jwk.p!,
      'the secret of the client': app.client_secret!,
      'the code': code,
      'the verifier': VERIFIER,
      'the access token': token,
      'the ID token': String(body['id_token']).split('.')[2]!,
      'the identity token': jwt.split('.')[2]!,
      'Basic authorization': basic,
      "the person's token": ann.token,
    }
    for (const [name, secret] of Object.entries(secrets)) {
      ok(secret.length > 20 && !log.includes(secret), name)
      ok(!core.logs.join('\n').includes(secret), name)
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
