/**
 * Every field of every endpoint, given what it does not expect: never a crash, never an error that
 * is ours, and no value in a refusal, in the log or in the audit log but for what is declared clear.
 */
import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type Verb } from '../../src/kit/engine.ts'
import { fakeAudit } from '../support/fake-audit.ts'
import { testCore } from '../support/test-core.ts'

const CANARY = 'CANARY-7b52009b64'
const WRONG: readonly unknown[] = [
  CANARY,
  `${CANARY}\n    at x (y:1:1)`,
  42.5,
  -1,
  2 ** 31,
  1e300,
  true,
  null,
  '',
  '1e9',
  [CANARY],
  [[CANARY], null, {}],
  { k: CANARY },
  { a: { b: [CANARY] } },
  `${'x'.repeat(5_000)}${CANARY}`,
]

/** Kinds and names, which Vault says again too; everything else is a value. */
const SAID_AGAIN = new Set(['type', 'plugin_name', 'token_type', 'format', 'algorithm', 'source'])
/** An accessor that leads nowhere; and names which are the answer's keys, or a token's metadata. */
const KNOWN = new Set(['secret_id_accessor', 'path', 'paths', 'meta'])
/** These would end what the test stands on. */
const NOT = /^sys\/(?:seal|step-down|rotate|remount|audit\/x)$|revoke-self$/
/** A role must keep something to be checked by; Vault says this with 500 too. */
const VAULTS_500 = /bind[_-]secret[_-]id/

const BASES: Record<string, string> = {
  system: 'sys/',
  token: 'auth/token/',
  approle: 'auth/approle/',
  cubbyhole: 'cubbyhole/',
}

test('no field of any endpoint takes what it does not expect badly', async (t) => {
  const audit = fakeAudit()
  const { ask, core, logs } = await testCore({ auditTypes: [audit.type] })
  await ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  await ask('write', 'auth/approle/role/x', {})
  await ask('write', 'secret/data/x', { data: { a: 1 } })
  const wrong: string[] = []
  let asked = 0
  let slowest = { ms: 0, name: '' }

  async function offer(verb: Verb, path: string, name: string, clear: boolean) {
    for (const value of WRONG) {
      asked++
      audit.clear()
      logs.length = 0
      const from = performance.now()
      const { status, text } = await ask(verb, path, { [name]: value })
      const ms = performance.now() - from
      const what = `${verb} ${path} ${name}`
      if (ms > slowest.ms) slowest = { ms, name: what }
      if (status >= 500 && !VAULTS_500.test(what)) wrong.push(`${what}: ${status}`)
      const told = clear || KNOWN.has(name)
      if (status >= 400 && text.includes('CANARY') && !told && !SAID_AGAIN.has(name)) {
        wrong.push(`${what} is echoed: ${text.slice(0, 100)}`)
      }
      if (logs.some((line) => line.includes('CANARY'))) wrong.push(`${what} is logged`)
      if (audit.text().includes('CANARY') && !told && !SAID_AGAIN.has(name)) {
        wrong.push(`${what} is audited in clear`)
      }
    }
  }

  for (const engine of core.engines) {
    const kv = engine.version === '1' ? 'kv1/' : 'secret/'
    const base = engine.type === 'kv' ? kv : BASES[engine.type]!
    for (const endpoint of engine.endpoints) {
      const path = base + endpoint.path.replace(/:\w+\*?/g, 'x')
      if (NOT.test(path)) continue
      for (const verb of ['write', 'patch', 'read', 'list'] as const) {
        if (!endpoint[verb]) continue
        for (const [name, field] of Object.entries(endpoint.fields)) {
          if (new RegExp(`:${name}\\b`).test(endpoint.path)) continue
          await offer(verb, path, name, field.clear ?? false)
        }
      }
    }
  }
  deepEqual(wrong, [])
  ok(asked > 2_000)
  t.diagnostic(`${asked} requests; slowest ${slowest.ms.toFixed(0)} ms, ${slowest.name}`)
})

test('a field that no endpoint knows is named in a warning, and its value is not', async () => {
  const { ask } = await testCore()
  const { status, text } = await ask('write', 'auth/token/create', { nonsense: CANARY })
  ok(status === 200 && text.includes('nonsense') && !text.includes('CANARY'))
})
