import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import {
  authority,
  certificate,
  CLIENT_AUTH,
  extension,
  SERVER_AUTH,
} from '../../../test/support/authority.ts'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { TOKEN_SETTINGS } from '../../kit/kit.ts'
import cert from './engine.ts'
import { NEW_ROLE } from './role.ts'

const root = await authority('root')

test('a role needs a certificate that can be trusted', async () => {
  const engine = testEngine(cert)
  const message = 'failed to parse certificate'
  await rejects(engine.write('certs/web'), { status: 400, message: 'certificate is required' })
  const broken = root.pem.replace(/\n[^\n]*\n/, '\n')
  for (const text of ['x', root.keyPem, broken]) {
    await rejects(engine.write('certs/web', { certificate: text }), { status: 400, message })
  }
  const server = await certificate({ usages: [SERVER_AUTH] })
  await rejects(engine.write('certs/web', { certificate: server.pem }), {
    status: 400,
    message: /TLS client authentication/,
  })
  const narrow = await authority('narrow', {
    extensions: [extension('2.5.29.30', Buffer.from('3000', 'hex'), true)],
  })
  await rejects(engine.write('certs/web', { certificate: root.pem + narrow.pem }), {
    status: 400,
    message: /name constraints/,
  })
  const body = { certificate: root.pem, required_extensions: 'nonsense' }
  await rejects(engine.write('certs/web', body), { status: 400, message: /required_extensions/ })
  equal(engine.entries().size, 0)
})

test('a role is read as it was written, with null for what was not', async () => {
  const engine = testEngine(cert)
  const pinned = await certificate({ usages: [CLIENT_AUTH] })
  for (const pem of [root.pem, pinned.pem]) {
    equal(await engine.write('certs/Web', { certificate: pem }), undefined)
    deepEqual(dataOf(await engine.read('certs/web')), {
      ...NEW_ROLE,
      ...TOKEN_SETTINGS,
      certificate: pem,
      display_name: 'Web',
    })
  }
  await engine.write('certs/web', { allowed_names: 'a,b', lease: 60, period: 30 })
  const read = dataOf(await engine.read('certs/WEB'))
  deepEqual(read['allowed_names'], ['a', 'b'])
  deepEqual([read['token_ttl'], read['ttl'], read['period']], [60, 60, 30])
  deepEqual(dataOf(await engine.list('certs')), { keys: ['web'] })
  await engine.delete('certs/WEB')
  equal(await engine.read('certs/web'), undefined)
})

test('an expired certificate is taken with a warning', async () => {
  const engine = testEngine(cert)
  const old = await authority('old', { notAfter: new Date(Date.UTC(2025, 5, 1)) })
  const reply = await engine.write('certs/web', { certificate: old.pem })
  deepEqual(reply?.warnings, ['a certificate has expired'])
})

test('the settings of the mount have defaults before they are written', async () => {
  const engine = testEngine(cert)
  const defaults = {
    disable_binding: false,
    enable_identity_alias_metadata: false,
    ocsp_cache_size: 100,
    role_cache_size: 200,
  }
  deepEqual(dataOf(await engine.read('config')), defaults)
  equal(await engine.write('config', { disable_binding: true }), undefined)
  deepEqual(dataOf(await engine.read('config')), { ...defaults, disable_binding: true })
})
