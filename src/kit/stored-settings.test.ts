import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, testEngine } from '../../test/support/test-engine.ts'
import { defineEngine, Failure, refuse, t } from './kit.ts'
import { changeSettings, storedSettings, unsupported } from './stored-settings.ts'

const thing = defineEngine({
  type: 'thing',
  help: 'Keeps settings.',
  endpoints: [
    ...storedSettings('config', {
      help: 'One.',
      fields: {
        address: t.string({ help: 'Where.', default: 'there' }),
        password: t.string({ help: 'Secret.', sensitive: true }),
        retries: t.int({ help: 'How often.' }),
        names: t.list({ help: 'Who.' }),
        old: t.string({ help: 'Before.', deprecated: true }),
      },
      accept(all) {
        if (all['address'] === '') refuse('address is missing')
        return all['retries'] === 7 ? { retries: 8 } : undefined
      },
    }),
    ...storedSettings('replaced', {
      help: 'Whole.',
      replaced: true,
      verbs: ['read'],
      fields: { a: t.string({ help: 'One.' }), b: t.string({ help: 'Two.' }) },
      notThere: () => new Failure('bad_request', 'configure it first'),
    }),
    ...storedSettings(['role/:name', 'roles/:name'], {
      help: 'Many.',
      lists: ['role', 'roles'],
      anyCase: true,
      toldApart: true,
      named: true,
      tokens: ['policies'],
      fields: { color: t.string({ help: 'Which.' }) },
    }),
    unsupported('login/:name', 'login with thing is not supported by this build', {
      access: 'login',
    }),
  ],
})

test('settings are refused before anything is stored', async () => {
  const engine = testEngine(thing)
  await rejects(engine.write('config', { address: '' }), { message: 'address is missing' })
  equal(await engine.read('config'), undefined)
  await rejects(engine.write('login/me', { password: 'x' }), {
    status: 400,
    message: 'login with thing is not supported by this build',
  })
  await rejects(engine.read('replaced'), { status: 400, message: 'configure it first' })
  await rejects(engine.delete('replaced'), { status: 405 })
  await rejects(engine.write('role/a', { token_policies: 'root' }), { status: 400 })
  deepEqual(dataOf(await engine.list('role')), { keys: [] })
})

test('settings read back with defaults and without secrets', async () => {
  const engine = testEngine(thing)
  await engine.write('config', { password: 'canary-1' })
  deepEqual(dataOf(await engine.read('config')), { address: 'there', retries: 0, names: null })
  await engine.write('config', { retries: 7, old: 'x', names: 'a,b' })
  deepEqual(dataOf(await engine.read('config')), {
    address: 'there',
    retries: 8,
    names: ['a', 'b'],
    old: 'x',
  })
  equal(JSON.stringify([...engine.entries()]).includes('canary-1'), true)
  await engine.delete('config')
  equal(await engine.read('config'), undefined)
})

test('settings are changed by parts, or as a whole where that is said', async () => {
  const engine = testEngine(thing)
  await engine.write('config', { address: 'here' })
  await engine.write('config', { retries: 2 })
  equal(dataOf(await engine.read('config'))['address'], 'here')
  await engine.write('replaced', { a: '1' })
  await engine.write('replaced', { b: '2' })
  deepEqual(dataOf(await engine.read('replaced')), { a: '', b: '2' })
})

test('settings with a name are one under both paths and in any case', async () => {
  const engine = testEngine(thing)
  await engine.write('role/Web', { color: 'red', policies: 'a' })
  await engine.write('roles/WEB', { token_ttl: 60 })
  const role = dataOf(await engine.read('roles/web'))
  deepEqual(
    [role['name'], role['color'], role['token_ttl'], role['policies'], role['token_policies']],
    ['web', 'red', 60, ['a'], ['a']],
  )
  deepEqual(dataOf(await engine.list('roles')), { keys: ['web'] })
  await engine.delete('role/wEb')
  equal(await engine.read('role/web'), undefined)
})

test('changeSettings() changes what is stored', async () => {
  const engine = testEngine(thing)
  await engine.write('role/a', { color: 'red', token_ttl: 60 })
  const store = {
    get: async <T>(key: string) => engine.entries().get(key) as T,
    put: (key: string, value: object) => void engine.entries().set(key, value),
    remove() {},
    list: async () => [],
  }
  await changeSettings(store, 'role/a', (settings) => ({ ...settings, color: 'blue' }))
  const role = dataOf(await engine.read('role/a'))
  deepEqual([role['color'], role['token_ttl']], ['blue', 60])
})
