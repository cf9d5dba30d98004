/** Rotation on a real server with two processes: whichever is asked, one of them does the work. */
import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { type Api, http, startServer } from '../support/server.ts'

const CONFIG = 'sys/coffer/rotate/config/secret/app'
const NOW = 'sys/coffer/rotate/now/secret/app'
const RULES = { kind: 'generated', field: 'password', quiet: '1s', undo_window: '1s' }

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 300; i++) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(100)
  }
  throw new Error('it has not come about')
}

/** Each request comes over a connection of its own, so both processes are asked. */
async function everyone<T>(count: number, act: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, act))
}

const generation = async (api: Api) =>
  Number((await api.read('secret/data/app')).headers.get('x-coffer-generation'))
const status = async (api: Api) =>
  (await api.read('sys/coffer/rotate/status/secret/app')).at('data') as Record<string, unknown>

test('two processes rotate once for all who ask, and go on after a kill', async () => {
  await using server = await startServer({ kind: 'config', workers: 2, audit: true })
  const api = http(server.address, { token: server.rootToken })
  equal(
    (await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })).status,
    204,
  )
  equal((await api.write(CONFIG, RULES)).status, 204)
  const values = new Set<unknown>()
  for (const read of await everyone(8, () => api.read('secret/data/app'))) {
    values.add(read.at('data.data.password'))
  }
  equal(values.size, 1)

  const answers = await everyone(20, () => api.write(NOW))
  ok(answers.some((each) => each.status === 200))
  ok(
    answers.every((each) => each.status === 200 || each.status === 409),
    'once, or refused',
  )
  equal(await generation(api), 2)

  // The root token has read the new one by now, so nobody holds the old one.
  const settled = await until(async () => {
    const now = await status(api)
    return now['state'] === 'IDLE' ? now : undefined
  })
  deepEqual([settled['generation'], settled['previous_generation']], [2, 0])

  await server.kill('SIGKILL')
  await server.restart()
  equal(await generation(api), 2)
  equal((await api.write(CONFIG, { period: '2s' })).status, 204)
  await until(async () => ((await generation(api)) >= 4 ? true : undefined))
  notEqual((await api.read('secret/data/app')).at('data.data.password'), [...values][0])
  ok(!server.output().includes(String([...values][0])), 'no value in the log')
})
