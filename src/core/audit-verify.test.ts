/** Logs as core writes them, and then changed in every way: nothing that was signed for may go unnoticed. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAudit } from '../../test/support/fake-audit.ts'
import { testCore, type TestCore } from '../../test/support/test-core.ts'
import { memoryStore } from '../storage/memory.ts'
import { type Store } from '../storage/store.ts'
import { type LogLine, type Verdict, verifyAudit, type Witness } from './audit-verify.ts'
import { type Witnessed } from './audit-witness.ts'

const asLines = (texts: readonly string[], file = 'audit.log'): LogLine[] =>
  texts.map((text, i) => ({ file, number: i + 1, text }))

async function witnessOf({ ask }: Pick<TestCore, 'ask'>): Promise<Witness> {
  const { data } = (await ask('read', 'sys/coffer/audit/witness')).body
  return {
    publicKey: Buffer.from(data!['public_key'] as string, 'base64'),
    checkpoints: data!['checkpoints'] as Witnessed[],
  }
}

const settled = () => new Promise((done) => setImmediate(done))

/** A log of some requests, its last line a checkpoint that the server keeps as well. */
async function written(requests = 12) {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  t.clock.advance(1_000)
  for (let i = 0; i < requests; i++) {
    await t.ask('write', `secret/data/${i}`, { data: { value: `secret-${i}` } })
  }
  t.clock.advance(10_000)
  for (let i = 0; i < 5; i++) await settled()
  const lines = () => audit.text('one').trimEnd().split('\n')
  return { ...t, audit, lines }
}

const chainOf = (line = '{}') => (JSON.parse(line) as { chain?: string }).chain
const kinds = ({ troubles }: Verdict) => troubles.map(({ kind }) => kind)

test('a log as it was written has no troubles', async () => {
  const t = await written()
  const before = t.lines()
  const verdict = await verifyAudit(asLines(before), await witnessOf(t))
  deepEqual(verdict.troubles, [])
  equal(verdict.lines, before.length)
  equal(verdict.unsigned, 0)
  equal(verdict.torn, 0)
  // The trial of the device has its own chain; the process's begins and ends with a checkpoint.
  equal(verdict.chains, 2)
  equal(verdict.checkpoints, 4)
})

test('lines that were written together are followed by their SHA-256, as sha256sum prints it', async () => {
  const { lines } = await written(2)
  const { hash } = await import('node:crypto')
  const texts = lines().slice(3)
  let together = ''
  let [first, batches] = [true, 0]
  for (const [i, text] of texts.entries()) {
    const { prev, seq } = JSON.parse(text) as { prev?: string; seq: number }
    equal(seq, i + 1)
    if (prev !== undefined) {
      equal(prev, first ? '0'.repeat(64) : hash('sha256', together, 'hex'))
      ;[together, first] = ['', false]
      batches++
    }
    together += `${text}\n`
  }
  ok(batches > 3)
})

test('whatever is done to a line that was signed for shows', async () => {
  const t = await written()
  const texts = t.lines()
  const witness = await witnessOf(t)
  const changes: Record<string, (at: number) => string[]> = {
    removed: (at) => texts.toSpliced(at, 1),
    doubled: (at) => texts.toSpliced(at, 0, texts[at]!),
    swapped: (at) => texts.toSpliced(at, 2, texts[at + 1] ?? '', texts[at]!),
    edited: (at) =>
      texts.with(
        at,
        texts[at]!.replace(/\d(?=\d*Z")/, (d) => `${(+d + 1) % 10}`),
      ),
    'flipped at the end': (at) =>
      texts.with(
        at,
        texts[at]!.replace(/.(?="\}$)/, (c) => (c === '0' ? '1' : '0')),
      ),
    unchained: (at) => texts.with(at, texts[at]!.replace(/,"chain".*$/, '}')),
    'added to': (at) => texts.toSpliced(at, 0, '{"time":"2026-01-01T00:00:00Z","type":"request"}'),
  }
  let tried = 0
  for (const [change, made] of Object.entries(changes)) {
    for (let at = 0; at < texts.length; at++) {
      // The chains of several processes are mixed as they come; their order says nothing.
      if (change === 'swapped' && chainOf(texts[at]) !== chainOf(texts[at + 1])) continue
      const verdict = await verifyAudit(asLines(made(at)), witness, { whole: true })
      ok(verdict.troubles.length > 0, `${change} at ${at} of ${texts.length}`)
      tried++
    }
  }
  ok(tried > 200)
})

test('an end that is missing shows, as far back as the witness knows', async () => {
  const t = await written()
  const texts = t.lines()
  const witness = await witnessOf(t)
  for (let left = texts.length - 1; left > 3; left--) {
    const verdict = await verifyAudit(asLines(texts.slice(0, left)), witness)
    ok(kinds(verdict).includes('missing'), `${left} lines left`)
  }
  // Without the process's chain at all.
  const verdict = await verifyAudit(asLines(texts.slice(0, 3)), witness, { device: 'one/' })
  ok(kinds(verdict).includes('missing-chain'))
})

test('lines after the last checkpoint can be cut off unseen, and are counted', async () => {
  const t = await written()
  await t.ask('read', 'secret/data/0')
  await t.ask('read', 'secret/data/1')
  const texts = t.lines()
  const witness = await witnessOf(t)
  const whole = await verifyAudit(asLines(texts), witness)
  deepEqual(whole.troubles, [])
  equal(whole.unsigned, 4)
  deepEqual((await verifyAudit(asLines(texts.slice(0, -1)), witness)).troubles, [])
})

test('a log made by somebody else is no log: hashes are easily made, signatures are not', async () => {
  const [ours, theirs] = [await written(), await written()]
  const verdict = await verifyAudit(asLines(theirs.lines()), await witnessOf(ours))
  ok(kinds(verdict).includes('forged'))
  // All of their lines under our chain's name and checkpoint, hashed anew.
  const texts = ours.lines()
  const forged = texts.map((text) => text.replace('"operation":"create"', '"operation":"read"'))
  ok((await verifyAudit(asLines(forged), await witnessOf(ours))).troubles.length > 0)
})

test('a rotated log is verified over its files, or from where they begin', async () => {
  const t = await written()
  const texts = t.lines()
  const witness = await witnessOf(t)
  const whole = { whole: true }
  const both = [...asLines(texts.slice(0, 9), 'old'), ...asLines(texts.slice(9), 'new')]
  deepEqual((await verifyAudit(both, witness, whole)).troubles, [])
  const late = await verifyAudit(asLines(texts.slice(9), 'new'), witness)
  deepEqual(late.troubles, [])
  match(late.notes.join('\n'), /begins before these files/)
})

test('pieces of lines at the end of a chain are torn, not troubles', async () => {
  const t = await written()
  const texts = [...t.lines(), '{"time":"2026-01-01T00:00:0']
  const verdict = await verifyAudit(asLines(texts), await witnessOf(t))
  deepEqual(verdict.troubles, [])
  equal(verdict.torn, 1)
})

test('a device that failed goes on in a new chain', async () => {
  const t = await written(2)
  t.audit.failWhen = () => true
  equal((await t.ask('read', 'secret/data/0')).status, 500)
  t.audit.failWhen = () => false
  equal((await t.ask('read', 'secret/data/0')).status, 200)
  t.clock.advance(10_000)
  for (let i = 0; i < 5; i++) await settled()
  const verdict = await verifyAudit(asLines(t.lines()), await witnessOf(t))
  deepEqual(verdict.troubles, [])
  equal(verdict.chains, 3)
  equal(verdict.unsigned, 0)
})

test('a thousand lines are signed for without waiting', async () => {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  for (let i = 0; i < 520; i++) await t.ask('read', 'secret/data/none')
  const texts = audit.text('one').trimEnd().split('\n')
  const verdict = await verifyAudit(asLines(texts), await witnessOf(t))
  deepEqual(verdict.troubles, [])
  equal(verdict.checkpoints, 4)
  ok(verdict.unsigned < 100)
})

test('a server that ends well has the last checkpoint in its store, and no trouble to tell', async () => {
  const audit = fakeAudit()
  const store = memoryStore()
  let open = true
  const closing: Store = {
    ...store,
    write: (...args) => (open ? store.write(...args) : Promise.reject(new Error('closed'))),
    close: async () => void (open = false),
  }
  const t = await testCore({ auditTypes: [audit.type], store: closing })
  await t.ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  await t.ask('write', 'secret/data/a', { data: { value: 'x' } })
  await t.core.close()
  for (let i = 0; i < 5; i++) await settled()
  deepEqual(
    t.logs.filter((line) => line.includes('checkpoint')),
    [],
  )
  const texts = audit.text('one').trimEnd().split('\n')
  open = true
  const verdict = await verifyAudit(asLines(texts.slice(0, -2)), await witnessOf(await t.sibling()))
  equal(kinds(verdict).includes('missing'), true)
})
