/** Devices of the configuration file: there from the first unsealed moment, as the file says. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAudit } from '../../test/support/fake-audit.ts'
import { testCore } from '../../test/support/test-core.ts'
import { AUDIT_PATH, type AuditTable } from '../core/audit.ts'
import { memoryStore } from '../storage/memory.ts'
import { type AuditBlock } from './config-audit.ts'
import { declareAudit } from './declared-audit.ts'

const block = (options: Record<string, string> = { name: 'one' }): AuditBlock => ({
  type: 'fake',
  path: 'declared',
  description: 'from the file',
  options,
})

async function started(blocks: readonly AuditBlock[], store = memoryStore()) {
  const audit = fakeAudit()
  const t = await testCore({
    store,
    auditTypes: [audit.type],
    beforeOpen: (tx, core) => declareAudit(tx, core, blocks),
  })
  const devices = async () =>
    (await (await t.core.begin(false))!.get<AuditTable>(AUDIT_PATH))!.devices
  return { ...t, audit, devices }
}

test('declareAudit() has the first request after unsealing audited', async () => {
  const { ask, audit } = await started([block()])
  await ask('read', 'sys/mounts')
  deepEqual(
    audit.entries().map(({ type }) => type),
    ['request', 'response'],
  )
})

test('declareAudit() changes nothing when the table says the same, in whatever order', async () => {
  const { core, devices } = await started([block({ name: 'one', hmac_accessor: 'false' })])
  await devices()
  const before = await core.store.revision()
  const tx = (await core.begin(false))!
  await declareAudit(tx, core, [block({ hmac_accessor: 'false', name: 'one' })])
  equal(tx.dirty, false)
  equal(await core.store.revision(), before)
})

test('declareAudit() lets the file win and keeps the salt, so that hashes stay comparable', async () => {
  const { core, devices } = await started([block()])
  const [first] = await devices()
  const tx = (await core.begin(false))!
  await declareAudit(tx, core, [block({ name: 'two' }), { ...block(), path: 'other/' }])
  await core.commit(tx)
  const [changed, other] = await devices()
  equal(changed!.path, 'declared/')
  deepEqual(changed!.options, { name: 'two' })
  equal(changed!.salt, first!.salt)
  equal(other!.path, 'other/')
  ok(other!.salt !== first!.salt)
})
