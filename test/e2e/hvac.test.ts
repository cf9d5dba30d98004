/** hvac, the Vault client for Python, against the real server: what it does must work unchanged. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { findPython, NO_HVAC } from '../support/python.ts'
import { cleanEnv, startServer, type TestServer } from '../support/server.ts'

const python = findPython()
const skip = python === undefined && NO_HVAC

type Result = { name: string; ok: boolean; error?: string }
type Ran = { results: Result[]; ran: number | undefined; stderr: string }

async function runSuite(mode: 'open' | 'cycle', server: TestServer): Promise<Ran> {
  const script = join(import.meta.dirname, 'hvac_suite.py')
  const child = spawn(python ?? '', [script, mode], {
    env: cleanEnv(server.dir, {
      VAULT_ADDR: server.address,
      VAULT_TOKEN: server.rootToken,
      PYTHONDONTWRITEBYTECODE: '1',
    }),
    timeout: 60_000,
  })
  let [out, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  await new Promise((done) => child.once('close', done))
  const lines = out.split('\n').filter((line) => line !== '')
  const parsed = lines.map((line) => JSON.parse(line) as Result | { ran: number })
  const last = parsed.at(-1)
  const results = parsed.filter((line) => 'name' in line)
  return { results, ran: last && 'ran' in last ? last.ran : undefined, stderr }
}

suite('hvac', { skip }, async () => {
  for (const workers of [1, 2]) {
    test(`does all it can against ${workers === 1 ? 'one process' : 'two workers'}`, async (t) => {
      await using server = await startServer({ kind: 'config', audit: true, workers })
      const { results, ran, stderr } = await runSuite('open', server)
      for (const { name, ok: good, error } of results)
        await t.test(name, () => ok(good, error ?? ''))
      equal(stderr, '')
      equal(ran, results.length)
      ok(results.length >= 24)
    })
  }

  test('initializes, unseals and seals a server', async () => {
    await using server = await startServer({ kind: 'config', initialize: false })
    const { results, ran, stderr } = await runSuite('cycle', server)
    equal(stderr, '')
    deepEqual(
      results.filter((result) => !result.ok),
      [],
    )
    equal(ran, 1)
  })
})
