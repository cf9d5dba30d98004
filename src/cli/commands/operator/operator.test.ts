import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Answers,
  envelopeOf,
  fakeVault,
  runAgainst,
} from '../../../../test/support/fake-vault.ts'
import { decodeToken } from './generate-root.ts'

const sealed = {
  type: 'shamir',
  initialized: true,
  sealed: true,
  t: 3,
  n: 5,
  progress: 1,
  nonce: 'n1',
  version: '1.21.4',
  build_date: '2026-01-15T10:00:00Z',
  storage_type: 'sqlite',
  recovery_seal: false,
}
const open = {
  ...sealed,
  sealed: false,
  progress: 0,
  nonce: '',
  cluster_name: 'c',
  cluster_id: 'i',
}
const leader: Answers = {
  'GET sys/leader': { body: { ha_enabled: false, active_time: '0001-01-01T00:00:00Z' } },
}

async function run(answers: Answers, argv: string[], stdin = '') {
  await using vault = await fakeVault({ ...leader, ...answers })
  const ran = await runAgainst(vault, argv, { stdin })
  return { ...ran, asked: vault.asked }
}

test('status exits with 2 when sealed, 0 when not, 1 when nobody answers', async () => {
  const shut = await run({ 'GET sys/seal-status': { body: sealed } }, ['status'])
  equal(shut.code, 2)
  match(
    shut.out,
    /^Sealed +true\nTotal Shares +5\nThreshold +3\nUnseal Progress +1\/3\nUnseal Nonce +n1$/m,
  )
  const fine = await run({ 'GET sys/seal-status': { body: open } }, ['status'])
  equal(fine.code, 0)
  equal(
    fine.out,
    'Key             Value\n---             -----\nSeal Type       shamir\nInitialized     true\n' +
      'Sealed          false\nTotal Shares    5\nThreshold       3\nVersion         1.21.4\n' +
      'Build Date      2026-01-15T10:00:00Z\nStorage Type    sqlite\nCluster Name    c\n' +
      'Cluster ID      i\nHA Enabled      false\n',
  )
  equal((await run({}, ['status'])).code, 1)
})

test('status -format=json is the seal status with what the leader says', async () => {
  const { out, code } = await run({ 'GET sys/seal-status': { body: sealed } }, [
    'status',
    '-format=json',
  ])
  equal(code, 2)
  deepEqual(JSON.parse(out), { ...sealed, ha_enabled: false, active_time: '0001-01-01T00:00:00Z' })
})

test('init refuses PGP, and says what to do', async () => {
  for (const flag of ['-pgp-keys=k', '-root-token-pgp-key=k', '-recovery-pgp-keys=k']) {
    const { code, err, asked } = await run({}, ['operator', 'init', flag])
    equal(code, 1)
    match(err, /does not encrypt keys with PGP/)
    equal(asked.length, 0)
  }
})

const made = { keys: ['aa', 'bb'], keys_base64: ['YWE=', 'YmI='], root_token: 'hvs.root' }
const initAnswers: Answers = {
  'GET sys/seal-status': { body: { ...sealed, initialized: false } },
  'PUT sys/init': { body: made },
}

test('init prints the keys and the root token as scripts read them', async () => {
  const { code, out, asked } = await run(initAnswers, [
    'operator',
    'init',
    '-key-shares=2',
    '-t',
    '2',
  ])
  equal(code, 0)
  match(out, /^Unseal Key 1: YWE=\nUnseal Key 2: YmI=\n\nInitial Root Token: hvs\.root\n\n/)
  match(out, /Vault initialized with 2 key shares and a key threshold of 2\. Please/)
  deepEqual(JSON.parse(asked.at(-1)!.body), { secret_shares: 2, secret_threshold: 2 })
})

test('init asks for five shares and three of them by itself', async () => {
  const { asked, out } = await run(initAnswers, ['operator', 'init', '-format=json'])
  deepEqual(JSON.parse(asked.at(-1)!.body), { secret_shares: 5, secret_threshold: 3 })
  deepEqual(JSON.parse(out), {
    unseal_keys_b64: made.keys_base64,
    unseal_keys_hex: made.keys,
    unseal_shares: 5,
    unseal_threshold: 3,
    recovery_keys_b64: [],
    recovery_keys_hex: [],
    recovery_keys_shares: 0,
    recovery_keys_threshold: 0,
    root_token: 'hvs.root',
  })
})

test('init of a server that unseals itself asks for recovery keys', async () => {
  const answers: Answers = {
    'GET sys/seal-status': { body: { ...sealed, type: 'static', recovery_seal: true } },
    'PUT sys/init': {
      body: { keys: [], recovery_keys: ['aa'], recovery_keys_base64: ['YWE='], root_token: 'r' },
    },
  }
  const { asked, out } = await run(answers, ['operator', 'init'])
  const { recovery_shares, recovery_threshold } = JSON.parse(asked.at(-1)!.body) as Record<
    string,
    number
  >
  deepEqual([recovery_shares, recovery_threshold], [5, 3])
  match(out, /^Recovery Key 1: YWE=\n/)
})

test('init -status exits with 2 when there is nothing yet', async () => {
  const not = await run({ 'GET sys/init': { body: { initialized: false } } }, [
    'operator',
    'init',
    '-status',
  ])
  equal(not.code, 2)
  equal(not.out, 'Vault is not initialized\n')
  const yes = await run({ 'GET sys/init': { body: { initialized: true } } }, [
    'operator',
    'init',
    '-status',
  ])
  equal(yes.code, 0)
  equal((await run({}, ['operator', 'init', '-status'])).code, 1)
})

test('unseal takes a key as an argument, from a pipe, or unseen', async () => {
  const answers: Answers = { 'PUT sys/unseal': { body: sealed } }
  const forms: [string[], string][] = [
    [['hunter2'], ''],
    [['-'], 'hunter2\n'],
    [[], 'hunter2\n'],
  ]
  for (const [argv, stdin] of forms) {
    const { code, out, err, asked } = await run(answers, ['operator', 'unseal', ...argv], stdin)
    equal(code, 0)
    deepEqual(JSON.parse(asked[0]!.body), { key: 'hunter2', migrate: false })
    match(out, /Unseal Progress +1\/3/)
    doesNotMatch(out + err, /hunter2/)
  }
  equal((await run(answers, ['operator', 'unseal', '-'], '')).code, 1)
})

test('unseal -reset sends no key', async () => {
  const { asked } = await run({ 'PUT sys/unseal': { body: sealed } }, [
    'operator',
    'unseal',
    '-reset',
  ])
  deepEqual(JSON.parse(asked[0]!.body), { reset: true })
})

test('seal and step-down say that they are done', async () => {
  const done = { '*': { status: 204 } }
  equal((await run(done, ['operator', 'seal'])).out, 'Success! Vault is sealed.\n')
  match((await run(done, ['operator', 'step-down'])).out, /^Success! Stepped down: http:/)
})

test('decodeToken() refuses a password of another length', () => {
  const encoded = Buffer.from([1, 2, 3]).toString('base64').replace(/=+$/, '')
  try {
    decodeToken(encoded, 'ab')
    throw new Error('decoded')
  } catch (error) {
    match((error as Error).message, /differ in length/)
  }
  const xored = Buffer.from('hvs.x').map((byte, i) => byte ^ 'ABCDE'.charCodeAt(i))
  equal(decodeToken(Buffer.from(xored).toString('base64').replace(/=+$/, ''), 'ABCDE'), 'hvs.x')
})

const attempt = {
  nonce: 'n1',
  started: true,
  progress: 0,
  required: 2,
  complete: false,
  otp_length: 28,
}

test('generate-root starts, shows the one-time password, and takes keys', async () => {
  const started = { body: { ...attempt, otp: 'OTPOTP' } }
  const init = await run({ 'PUT sys/generate-root/attempt': started }, [
    'operator',
    'generate-root',
    '-init',
  ])
  match(
    init.out,
    /^Nonce +n1\nStarted +true\nProgress +0\/2\nComplete +false\nOTP +OTPOTP\nOTP Length +28$/m,
  )
  const answers: Answers = {
    'GET sys/generate-root/attempt': { body: attempt },
    'PUT sys/generate-root/update': {
      body: { ...attempt, progress: 2, complete: true, encoded_token: 'ENC' },
    },
  }
  const typed = await run(answers, ['operator', 'generate-root'], 'key1')
  match(typed.err, /Operation nonce: n1\nUnseal Key \(will be hidden\): /)
  deepEqual(JSON.parse(typed.asked.at(-1)!.body), { key: 'key1', nonce: 'n1' })
  match(typed.out, /Encoded Token +ENC/)
  const script = await run(answers, ['operator', 'generate-root', '-'], 'key1')
  equal(script.code, 1)
  match(script.err, /Missing nonce value/)
  equal((await run(answers, ['operator', 'generate-root', '-nonce=n1', '-'], 'key1')).code, 0)
})

test('generate-root without a start says how to start', async () => {
  const answers: Answers = {
    'GET sys/generate-root/attempt': { body: { ...attempt, started: false } },
  }
  const { code, err } = await run(answers, ['operator', 'generate-root', 'hunter2'])
  equal(code, 1)
  match(err, /No root generation is in progress[^]*hint: .*generate-root -init/)
  doesNotMatch(err, /hunter2/)
})

test('rekey takes old keys and prints new ones', async () => {
  const status = {
    nonce: 'n1',
    started: true,
    t: 2,
    n: 3,
    progress: 0,
    required: 2,
    verification_required: false,
  }
  const answers: Answers = {
    'PUT sys/rekey/init': { body: status },
    'GET sys/rekey/init': { body: status },
    'PUT sys/rekey/update': {
      body: { nonce: 'n1', complete: true, keys_base64: ['k1', 'k2', 'k3'] },
    },
  }
  const init = await run(answers, ['operator', 'rekey', '-init', '-n', '3', '-t', '2'])
  match(init.out, /Rekey Progress +0\/2\nNew Shares +3\nNew Threshold +2/)
  const sent = JSON.parse(init.asked[0]!.body) as Record<string, unknown>
  deepEqual([sent['secret_shares'], sent['secret_threshold']], [3, 2])
  const last = await run(answers, ['operator', 'rekey', '-nonce=n1', 'old'])
  match(
    last.out,
    /^Key 1: k1\nKey 2: k2\nKey 3: k3\n\nOperation nonce: n1\n\nVault unseal keys rekeyed with 3/,
  )
  equal((await run(answers, ['operator', 'rekey', '-target=nonsense', '-status'])).code, 1)
})

test('rotate shows the new key; members shows the nodes', async () => {
  const key = envelopeOf({ term: 2, install_time: '2026-01-02T03:04:05Z', encryptions: 7 })
  const rotated = await run({ 'PUT sys/rotate': { status: 204 }, 'GET sys/key-status': key }, [
    'operator',
    'rotate',
  ])
  equal(
    rotated.out,
    'Success! Rotated key\n\nKey Term            2\nInstall Time        02 Jan 26 03:04 UTC\n' +
      'Encryption Count    7\n',
  )
  const nodes = [
    { hostname: 'h', api_address: 'http://h', active_node: true, version: '1', last_echo: null },
  ]
  const { out } = await run({ 'GET sys/ha-status': envelopeOf({ nodes }) }, ['operator', 'members'])
  match(out, /^Host Name +API Address/)
  match(out, /^h +http:\/\/h +n\/a +true +1 +n\/a +n\/a +n\/a$/m)
})
