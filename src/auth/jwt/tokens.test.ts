/** A table of tokens, most of which nobody may get in with. */
import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  ecPair,
  edPair,
  jwkOf,
  part,
  pemOf,
  rsaPair,
  signed,
} from '../../../test/support/jwt-signer.ts'
import { testEngine } from '../../../test/support/test-engine.ts'
import { webServer } from '../../../test/support/web-server.ts'
import { Failure } from '../../kit/kit.ts'
import { jwt } from './engine.ts'

const NOW = Date.UTC(2026, 0, 1)
const now = NOW / 1000
const ISSUER = 'https://issuer.example'
const [rsa, other, ec, ed] = [rsaPair(), rsaPair(), ecPair(), edPair()]
const RS = { alg: 'RS256', kid: 'r' }
const CLAIMS = { iss: ISSUER, sub: 'ann', aud: 'us', exp: now + 60, iat: now, groups: ['a'] }

const rs = (claims: object, header: object = {}) =>
  signed({ ...RS, ...header }, { ...CLAIMS, ...claims }, { pair: rsa, as: 'RS256' })
const bare = (claims: object) =>
  signed(RS, { iss: ISSUER, sub: 'ann', aud: 'us', ...claims }, { pair: rsa })
const text = (payload: string) => signed(RS, payload, { pair: rsa })
const GOOD = rs({})
const [h, p, s] = GOOD.split('.') as [string, string, string]
const json = JSON.stringify(CLAIMS)
const hs = (alg: string, secret: string | Uint8Array) =>
  signed({ alg, kid: 'r' }, CLAIMS, { secret })

type Row = readonly [name: string, token: string, role?: Record<string, unknown>]

const good: readonly Row[] = [
  ['RS256', GOOD],
  ['RS384', signed({ ...RS, alg: 'RS384' }, CLAIMS, { pair: rsa })],
  ['PS256', signed({ ...RS, alg: 'PS256' }, CLAIMS, { pair: rsa })],
  ['ES256', signed({ alg: 'ES256', kid: 'e' }, CLAIMS, { pair: ec })],
  ['EdDSA', signed({ alg: 'EdDSA', kid: 'd' }, CLAIMS, { pair: ed })],
  ['no kid', signed({ alg: 'RS256' }, CLAIMS, { pair: rsa })],
  ['aud is a list', rs({ aud: ['them', 'us'] })],
  ['exp 59 s ago', rs({ exp: now - 59, iat: now - 100 })],
  ['nbf in 60 s', rs({ nbf: now + 60 })],
  ['iat in 60 s', rs({ iat: now + 60 })],
  ['iat alone, 209 s ago', bare({ iat: now - 209 })],
  ['nbf alone, 209 s ago', bare({ nbf: now - 209 })],
  ['exp alone', bare({ exp: now + 1 })],
  ['exp alone, in 210 s', bare({ exp: now + 210 })],
  ['exp 1 s ahead, no skew', rs({ exp: now + 1 }), { clock_skew_leeway: -1 }],
  ['nbf now, no skew', rs({ nbf: now }), { clock_skew_leeway: -1 }],
  ['exp with a fraction', rs({ exp: now + 0.5 }), { clock_skew_leeway: -1 }],
  ['bound subject', GOOD, { bound_subject: 'ann' }],
  ['bound claim in a list', GOOD, { bound_claims: { groups: ['x', 'a'] } }],
  ['bound claim by pointer', rs({ a: { 'b/c': [1, 2] } }), { bound_claims: { '/a/b~1c/1': 2 } }],
  [
    'bound claim by glob',
    rs({ repo: 'org/app/x' }),
    {
      bound_claims: { repo: 'org/*/x' },
      bound_claims_type: 'glob',
    },
  ],
  ['bound claim of a boolean', rs({ yes: true }), { bound_claims: { yes: true } }],
]

const forged = { pair: other, as: 'RS256' }
const bad: readonly Row[] = [
  // Algorithms.
  ...['none', 'None', 'NONE', 'nOnE', ''].map((alg): Row => [
    `alg "${alg}", no signature`,
    `${part({ alg })}.${part(CLAIMS)}.`,
  ]),
  ['alg none with the signature of another', `${part({ alg: 'none' })}.${p}.${s}`],
  ['HS256 with the public key', hs('HS256', pemOf(rsa))],
  ['HS256 with the public key, trimmed', hs('HS256', pemOf(rsa).trim())],
  ['HS256 with its DER', hs('HS256', rsa.publicKey.export({ type: 'spki', format: 'der' }))],
  ['HS256 with its PKCS #1', hs('HS256', rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }))],
  ['HS256 with its JWK', hs('HS256', JSON.stringify(jwkOf(rsa)))],
  ['HS256 with its modulus', hs('HS256', Buffer.from(String(jwkOf(rsa)['n']), 'base64url'))],
  ['HS384 with the public key', hs('HS384', pemOf(rsa))],
  ['HS512 with the public key', hs('HS512', pemOf(rsa))],
  ['HS256 with the EC key', signed({ alg: 'HS256', kid: 'e' }, CLAIMS, { secret: pemOf(ec) })],
  ['HS256 with no secret', hs('HS256', '')],
  ['no alg', signed({ kid: 'r' }, CLAIMS, { pair: rsa, as: 'RS256' })],
  ['alg a number', rs({}, { alg: 256 })],
  ['alg a list', rs({}, { alg: ['RS256'] })],
  ['alg null', rs({}, { alg: null })],
  ['alg with a space', rs({}, { alg: 'RS256 ' })],
  ['alg in lower case', rs({}, { alg: 'rs256' })],
  ['alg ES256 over RS256', rs({}, { alg: 'ES256' })],
  ['alg PS256 over RS256', rs({}, { alg: 'PS256' })],
  ['alg RS384 over RS256', rs({}, { alg: 'RS384' })],
  ['alg EdDSA over RS256', rs({}, { alg: 'EdDSA' })],
  ['alg RS1', rs({}, { alg: 'RS1' })],
  ['alg ES256K', rs({}, { alg: 'ES256K' })],
  ['alg dir', rs({}, { alg: 'dir' })],
  ['alg RSA-OAEP', rs({}, { alg: 'RSA-OAEP' })],
  ['alg constructor', rs({}, { alg: 'constructor' })],
  // Names of keys.
  ['kid that climbs, forged', signed({ ...RS, kid: '../../../dev/null' }, CLAIMS, forged)],
  [
    'kid that climbs, HMAC of nothing',
    signed({ alg: 'HS256', kid: '../../dev/null' }, CLAIMS, { secret: '' }),
  ],
  ['kid with a query', signed({ ...RS, kid: "x' UNION SELECT 'k" }, CLAIMS, forged)],
  ['kid that is an address', signed({ ...RS, kid: 'http://127.0.0.1/keys' }, CLAIMS, forged)],
  ['kid a number', rs({}, { kid: 1 })],
  ['kid an object', rs({}, { kid: { r: 1 } })],
  ['kid null', rs({}, { kid: null })],
  ['kid unknown', rs({}, { kid: 'zzz' })],
  ['kid empty', rs({}, { kid: '' })],
  ['kid of another key', rs({}, { kid: 'e' })],
  ['kid __proto__', rs({}, { kid: '__proto__' })],
  ['kid of a key for encryption', signed({ ...RS, kid: 'enc' }, CLAIMS, { pair: other })],
  ['kid of a key for another alg', signed({ ...RS, kid: 'ps' }, CLAIMS, { pair: other })],
  // Keys that the token brings.
  ['jwk', signed({ ...RS, jwk: jwkOf(other) }, CLAIMS, forged)],
  ['jwk, no kid', signed({ alg: 'RS256', jwk: jwkOf(other) }, CLAIMS, forged)],
  ['jku', signed({ ...RS, jku: 'http://127.0.0.1:1/keys' }, CLAIMS, forged)],
  ['x5u', signed({ ...RS, x5u: 'http://127.0.0.1:1/cert' }, CLAIMS, forged)],
  ['x5c', signed({ ...RS, x5c: ['AAAA'] }, CLAIMS, forged)],
  ['crit', rs({}, { crit: ['exp'], exp: 1 })],
  ['crit empty', rs({}, { crit: [] })],
  ['b64 false', rs({}, { b64: false, crit: ['b64'] })],
  // Shapes.
  ['alg twice', `${part('{"alg":"none","alg":"RS256","kid":"r"}')}.${p}.${s}`],
  [
    'alg twice, signed',
    signed('{"alg":"none","alg":"RS256","kid":"r"}', CLAIMS, { pair: rsa, as: 'RS256' }),
  ],
  ['header a list', signed([RS], CLAIMS, { pair: rsa, as: 'RS256' })],
  ['header no JSON', signed('RS256', CLAIMS, { pair: rsa, as: 'RS256' })],
  ['header null', signed('null', CLAIMS, { pair: rsa, as: 'RS256' })],
  ['signed by another', signed(RS, CLAIMS, { pair: other })],
  ['no signature', `${h}.${p}.`],
  ['no signature, no dot', `${h}.${p}`],
  ['signature cut', `${h}.${p}.${s.slice(0, -4)}`],
  ['signature longer', `${h}.${p}.${s}AAAA`],
  ['signature of another token', `${h}.${p}.${rs({ sub: 'bob' }).split('.')[2]}`],
  ['signature changed', `${h}.${p}.${s.startsWith('A') ? 'B' : 'A'}${s.slice(1)}`],
  ['payload changed', `${h}.${part({ ...CLAIMS, sub: 'admin' })}.${s}`],
  ['header changed', `${part({ ...RS, x: 1 })}.${p}.${s}`],
  ['four parts', `${GOOD}.${s}`],
  ['five parts', `${h}.${p}.${s}.${s}.${s}`],
  ['empty parts', '..'],
  ['padding', `${h}.${p}.${s}==`],
  ['white space', `${h}.${p} .${s}`],
  ['a line break', `${h}\n.${p}.${s}`],
  ['JSON serialization', JSON.stringify({ protected: h, payload: p, signature: s })],
  ['not a token', 'x'],
  ['too long', `${h}.${p}.${'A'.repeat(300_000)}`],
  // Payloads.
  ['payload a list', text('[]')],
  ['payload null', text('null')],
  ['payload no JSON', text('hello')],
  ['payload not UTF-8', signed(RS, Buffer.from([0x7b, 0xff, 0x7d]), { pair: rsa })],
  ['sub twice', text(json.replace('"sub":"ann"', '"sub":"ann","sub":"admin"'))],
  ['sub twice, escaped', text(json.replace('"sub":"ann"', '"sub":"ann","\\u0073ub":"admin"'))],
  ['aud twice', text(json.replace('"aud":"us"', '"aud":"them","aud":"us"'))],
  ['exp twice', text(json.replace('{', `{"exp":${now - 9999},`))],
  ['iss twice', text(json.replace('{', '{"iss":"https://evil.example",'))],
  ['a name twice further down', text(json.replace('{', '{"x":[{"a":1,"a":2}],'))],
  // Times.
  ['exp 60 s ago', rs({ exp: now - 60, iat: now - 100 })],
  ['exp a day ago', rs({ exp: now - 86_400, iat: now - 90_000 })],
  ['exp now, no skew', rs({ exp: now }), { clock_skew_leeway: -1 }],
  ['exp 11 s ago, skew 10', rs({ exp: now - 11 }), { clock_skew_leeway: 10 }],
  ['exp a string', rs({ exp: String(now + 60) })],
  ['exp null', rs({ exp: null })],
  ['exp 0', rs({ exp: 0 })],
  ['exp negative', rs({ exp: -1 })],
  ['exp beyond numbers', text(json.replace(`"exp":${now + 60}`, '"exp":1e400'))],
  ['exp a list', rs({ exp: [now + 60] })],
  ['exp true', rs({ exp: true })],
  ['nbf in 61 s', rs({ nbf: now + 61 })],
  ['nbf in 1 s, no skew', rs({ nbf: now + 1 }), { clock_skew_leeway: -1 }],
  ['nbf a string', rs({ nbf: '0' })],
  ['iat in 61 s', rs({ iat: now + 61 })],
  ['iat in 61 s, nbf before', rs({ iat: now + 61, nbf: now - 1 })],
  ['iat an object', rs({ iat: {} })],
  ['no time', bare({})],
  ['iat alone, 210 s ago', bare({ iat: now - 210 })],
  ['iat alone, no leeway', bare({ iat: now - 60 }), { expiration_leeway: -1 }],
  ['iat alone, leeway 10', bare({ iat: now - 70 }), { expiration_leeway: 10 }],
  ['nbf alone, 210 s ago', bare({ nbf: now - 210 })],
  ['exp alone, too far ahead', bare({ exp: now + 211 })],
  ['exp alone, no leeway', bare({ exp: now + 61 }), { not_before_leeway: -1 }],
  // Issuers.
  ['another issuer', rs({ iss: 'https://evil.example' })],
  ['no issuer', rs({ iss: undefined })],
  ['issuer with a slash', rs({ iss: `${ISSUER}/` })],
  ['issuer in upper case', rs({ iss: ISSUER.toUpperCase() })],
  ['issuer in a list', rs({ iss: [ISSUER] })],
  ['issuer null', rs({ iss: null })],
  // Audiences.
  ['no audience', rs({ aud: undefined })],
  ['audience empty', rs({ aud: '' })],
  ['audience an empty list', rs({ aud: [] })],
  ['another audience', rs({ aud: 'them' })],
  ['other audiences', rs({ aud: ['them', 'others'] })],
  ['audience that begins alike', rs({ aud: 'us-east' })],
  ['audience in upper case', rs({ aud: 'US' })],
  ['audience null', rs({ aud: null })],
  ['audience a number', rs({ aud: 1 })],
  ['audience an object', rs({ aud: { us: true } })],
  ['audience in a list of lists', rs({ aud: [['us']] })],
  ['audience with a number', rs({ aud: ['us', 1] })],
  ['audience, and none bound', GOOD, { bound_audiences: '', bound_subject: 'ann' }],
  ['audiences, and none bound', rs({ aud: ['us'] }), { bound_audiences: '', bound_subject: 'ann' }],
  // Subjects, bound claims, users and groups.
  ['another subject', GOOD, { bound_subject: 'bob' }],
  ['no subject', rs({ sub: undefined }), { bound_subject: 'ann', user_claim: 'iss' }],
  ['subject in a list', rs({ sub: ['ann'] }), { bound_subject: 'ann', user_claim: 'iss' }],
  ['bound claim missing', GOOD, { bound_claims: { team: 'x' } }],
  ['bound claim null', rs({ team: null }), { bound_claims: { team: 'x' } }],
  ['bound claim differs', rs({ team: 'y' }), { bound_claims: { team: 'x' } }],
  ['bound claim of another type', rs({ n: '1' }), { bound_claims: { n: 1 } }],
  ['bound claim an object', rs({ n: {} }), { bound_claims: { n: '[object Object]' } }],
  ['bound claim in a text', rs({ team: 'x,y' }), { bound_claims: { team: ['x', 'y'] } }],
  ['glob where none is meant', rs({ team: 'x' }), { bound_claims: { team: '*' } }],
  [
    'glob that does not match',
    rs({ repo: 'org/app/y' }),
    {
      bound_claims: { repo: 'org/*/x' },
      bound_claims_type: 'glob',
    },
  ],
  [
    'glob of the token',
    rs({ repo: '*' }),
    { bound_claims: { repo: 'org/x' }, bound_claims_type: 'glob' },
  ],
  ['inherited claim', GOOD, { bound_claims: { '/constructor/name': 'Object' } }],
  ['length of a list', GOOD, { bound_claims: { '/groups/length': 1 } }],
  ['two bound claims, one right', rs({ a: 1, b: 2 }), { bound_claims: { a: 1, b: 3 } }],
  ['no user', GOOD, { user_claim: 'email' }],
  ['user empty', rs({ email: '' }), { user_claim: 'email' }],
  ['user a number', rs({ email: 1 }), { user_claim: 'email' }],
  ['user a list', GOOD, { user_claim: 'groups' }],
  ['user inherited', GOOD, { user_claim: 'toString' }],
  ['no groups', GOOD, { groups_claim: 'teams' }],
  ['groups of numbers', rs({ teams: [1] }), { groups_claim: 'teams' }],
  ['groups an object', rs({ teams: {} }), { groups_claim: 'teams' }],
]

async function engineWith(config: Record<string, unknown>) {
  const engine = testEngine(jwt, { now: NOW })
  await engine.write('config', { bound_issuer: ISSUER, ...config })
  const role = { role_type: 'jwt', user_claim: 'sub', bound_audiences: 'us' }
  return {
    accepts: async ([name, token, more]: Row): Promise<boolean> => {
      await engine.delete('role/web')
      await engine.write('role/web', { ...role, ...more })
      try {
        const answer = await engine.write('login', { role: 'web', jwt: token })
        return answer?.login !== undefined
      } catch (error) {
        ok(error instanceof Failure && error.status === 400, `${name}: ${String(error)}`)
        ok(!/ann|admin|issuer\.example/.test(error.message), `${name}: ${error.message}`)
        return false
      }
    },
  }
}

test('the table has 120 bad tokens, each under a name of its own', () => {
  const names = [...good, ...bad].map(([name]) => name)
  equal(new Set(names).size, names.length)
  ok(bad.length >= 120, String(bad.length))
})

test('S18 of the table, a key set lets in the good tokens and no other', async () => {
  const keys = [
    jwkOf(ec, { kid: 'e', alg: 'ES256', use: 'sig' }),
    jwkOf(ed, { kid: 'd' }),
    jwkOf(rsa, { kid: 'r', use: 'sig' }),
    jwkOf(other, { kid: 'enc', use: 'enc' }),
    jwkOf(other, { kid: 'ps', alg: 'PS256' }),
    { kty: 'oct', kid: 'r', k: part('secret') },
    { kty: 'RSA', kid: 'r', n: 'AA', e: 'AQAB' },
    'not a key',
  ]
  const web = await webServer({ '/keys': () => ({ body: { keys } }) })
  try {
    const { accepts } = await engineWith({ jwks_url: `${web.url}/keys` })
    for (const row of bad) equal(await accepts(row), false, row[0])
    for (const row of good) equal(await accepts(row), true, row[0])
    // One for the configuration; what is unknown is looked up once more, not each time.
    ok(web.asked.length <= 2, String(web.asked.length))
  } finally {
    await web.close()
  }
})

test('S18 of the table, keys of the configuration let in the good tokens and no other', async () => {
  const { accepts } = await engineWith({ jwt_validation_pubkeys: [rsa, ec, ed].map(pemOf) })
  // Keys without names: which one a token asks for says nothing.
  const named = /^kid (?:unknown|empty|of another key|__proto__)$/
  for (const row of bad) equal(await accepts(row), named.test(row[0]), row[0])
  for (const row of good) equal(await accepts(row), true, row[0])
})

test('only the algorithms of the configuration count', async () => {
  const { accepts } = await engineWith({
    jwt_validation_pubkeys: [pemOf(rsa)],
    jwt_supported_algs: 'PS256',
  })
  equal(await accepts(['RS256', GOOD]), false)
  equal(await accepts(['PS256', signed({ alg: 'PS256' }, CLAIMS, { pair: rsa })]), true)
})
