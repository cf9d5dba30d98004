import { deepEqual, equal, notEqual, ok, rejects, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { open, seal, TamperedError } from '../crypto/aead.ts'
import { systemRandom } from '../lib/random.ts'
import { memoryStore } from '../storage/memory.ts'
import { NOTHING_EXPECTED, StoreConflict } from '../storage/store.ts'
import { newKeyring, openKeyring } from './keyring.ts'
import { names } from './names.ts'
import { checkRecovery, checkSplit, createSeal, joinShares, openSeal, openStatic } from './seal.ts'
import { Space } from './space.ts'

const NOW = Date.UTC(2026, 0, 1)
const ring = () => newKeyring(systemRandom, NOW)
async function freshSpace(store = memoryStore()) {
  const made = createSeal({ shares: 1, threshold: 1 }, { random: systemRandom, now: NOW })
  await store.write(made.writes, NOTHING_EXPECTED)
  return { store, space: new Space(store, made.rootKey, made.keyring), made }
}

// Test case 15 (AES-256, no additional data) of the GCM specification, appendix B.
test('open() agrees with the published AES-256-GCM vector', () => {
  const hex = (text: string) => Buffer.from(text, 'hex')
  const key = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308')
  const nonce = hex('cafebabefacedbaddecaf888')
  const body = hex(
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
      '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad',
  )
  const sealed = Buffer.concat([nonce, body, hex('b094dac5d93471bdec1a502270e3cc6c')])
  const plain =
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255'
  equal(open(key, sealed, { context: '' }).toString('hex'), plain)
  deepEqual(seal(key, hex(plain), { context: '', random: () => nonce }), sealed)
  throws(() => open(key, sealed, { context: 'x' }), TamperedError)
})

test('seal() seals a text as its bytes, and leaves alone what is put before it', () => {
  const key = systemRandom(32)
  const text = 'a ü \u{1f511} \ud800'
  const before = Buffer.from([1, 2, 3])
  const sealed = seal(key, text, { context: 'a', before })
  deepEqual(sealed.subarray(0, 3), before)
  deepEqual(open(key, sealed.subarray(3), { context: 'a' }), Buffer.from(text))
})

test('open() refuses every flipped bit, a wrong key, a wrong context and a cut record', () => {
  const key = systemRandom(32)
  const sealed = seal(key, Buffer.from('hunter2'), { context: 'a' })
  equal(open(key, sealed, { context: 'a' }).toString(), 'hunter2')
  throws(() => open(systemRandom(32), sealed, { context: 'a' }), TamperedError)
  throws(() => open(key, sealed, { context: 'b' }), TamperedError)
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const bad = Buffer.from(sealed)
    bad[bit >> 3]! ^= 1 << (bit & 7)
    throws(() => open(key, bad, { context: 'a' }), TamperedError)
  }
  for (let n = 0; n < sealed.length; n++) {
    throws(() => open(key, sealed.subarray(0, n), { context: 'a' }), TamperedError)
  }
})

test('names are hidden, bound to their folder, and come back', () => {
  const { hide, show } = names(systemRandom(32))
  const word = fc.string({ minLength: 1, maxLength: 40 }).map((s) => s.replaceAll('/', '_'))
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), fc.boolean(), (parts, folder) => {
      const path = parts.join('/') + (folder ? '/' : '')
      const hidden = hide(path)
      equal(hide(path), hidden)
      ok(/^d(\/[\w-]+)+\/?$/.test(hidden))
      const cut = hidden.lastIndexOf('/', hidden.length - 2) + 1
      const at = path.lastIndexOf('/', path.length - 2) + 1
      equal(show(path.slice(0, at), hidden.slice(cut)), path.slice(at))
    }),
  )
  notEqual(hide('a/x').split('/').at(-1), hide('b/x').split('/').at(-1))
  throws(() => show('b/', hide('a/x').split('/').at(-1)!), TamperedError)
})

test('keyring opens what an older key has sealed, and refuses a record that was moved', () => {
  const first = ring()
  const record = first.sealRecord('d/a', Buffer.from('one'))
  const second = first.rotated(systemRandom, NOW + 1)
  equal(second.term, 2)
  equal(second.openRecord('d/a', record).toString(), 'one')
  throws(() => second.openRecord('d/b', record), /d\/b has been changed or moved/)
  const newer = second.sealRecord('d/a', Buffer.from('two'))
  throws(() => first.openRecord('d/a', newer), /names a key that is not there/)
  const rootKey = systemRandom(32)
  equal(openKeyring(rootKey, second.store(rootKey)).openRecord('d/a', newer).toString(), 'two')
  throws(() => openKeyring(systemRandom(32), second.store(rootKey)), TamperedError)
})

test('checkSplit() refuses splits nobody could use', () => {
  for (const [shares, threshold] of [
    [0, 1],
    [1, 0],
    [5, 1],
    [2, 3],
    [256, 3],
  ] as const) {
    ok(checkSplit({ shares, threshold }))
  }
  equal(checkSplit({ shares: 1, threshold: 1 }), undefined)
  equal(checkSplit({ shares: 5, threshold: 3 }), undefined)
})

test('seal opens with any threshold of shares and with no fewer', async () => {
  const store = memoryStore()
  const made = createSeal({ shares: 5, threshold: 3 }, { random: systemRandom, now: NOW })
  await store.write(made.writes, NOTHING_EXPECTED)
  const tryShares = (picked: number[]) =>
    openSeal(
      store,
      joinShares(
        picked.map((i) => made.shares[i]!),
        3,
      ) ?? Buffer.alloc(0),
    )
  await rejects(tryShares([0, 1]), TamperedError)
  await rejects(tryShares([0, 0, 1]), TamperedError)
  for (const picked of [
    [0, 1, 2],
    [4, 2, 0],
    [1, 3, 4],
    [0, 1, 2, 3, 4],
  ]) {
    deepEqual((await tryShares(picked)).rootKey, made.rootKey)
  }
})

test('static seal opens with its key file, names a missing key id, and keeps recovery shares', async () => {
  const store = memoryStore()
  const staticKey = { id: 'k1', key: systemRandom(32) }
  const made = createSeal(
    { shares: 3, threshold: 2 },
    { random: systemRandom, now: NOW, staticKey },
  )
  await store.write(made.writes, NOTHING_EXPECTED)
  deepEqual(
    (await openStatic(store, [{ id: 'k0', key: systemRandom(32) }, staticKey])).rootKey,
    made.rootKey,
  )
  await rejects(openStatic(store, [{ id: 'k0', key: staticKey.key }]), /key id "k1"/)
  await rejects(openStatic(store, [{ id: 'k1', key: systemRandom(32) }]), TamperedError)
  equal(await checkRecovery(store, made.shares.slice(1)), true)
  equal(await checkRecovery(store, made.shares.slice(0, 1)), false)
})

test('space keeps no name and no value in clear', async () => {
  const { store, space } = await freshSpace()
  const tx = await space.begin()
  tx.put('logical/canary-name/x', { password: 'canary-value' })
  await space.commit(tx)
  for (const key of (await store.changes(0))!.keys.keys()) {
    const entry = await store.get(key)
    const seen = key + Buffer.from(entry!.value).toString('latin1')
    ok(!/canary/.test(seen), key)
  }
})

test('space refuses a record swapped with another, or replayed under another name', async () => {
  const { store, space } = await freshSpace()
  const tx = await space.begin()
  tx.put('a', { is: 'a' })
  tx.put('b', { is: 'b' })
  await space.commit(tx)
  const [a, b] = [await store.get(space.keyOf('a')), await store.get(space.keyOf('b'))]
  await store.write(
    [
      { key: space.keyOf('a'), value: b!.value },
      { key: space.keyOf('b'), value: a!.value },
    ],
    NOTHING_EXPECTED,
  )
  const after = await space.begin()
  await rejects(async () => after.get('a'), /has been changed or moved/)
})

test('space hands out the same object until the entry changes, and sees other writers', async () => {
  const { store, space, made } = await freshSpace()
  const other = new Space(store, made.rootKey, made.keyring)
  const tx = await space.begin()
  tx.put('x', { n: 1 })
  await space.commit(tx)
  const first = await (await space.begin()).get('x')
  equal(await (await space.begin()).get('x'), first)
  const theirs = await other.begin()
  theirs.put('x', { n: 2 })
  await other.commit(theirs)
  deepEqual(await (await space.begin()).get('x'), { n: 2 })
})

test('space keeps a long entry only when every request reads it', async () => {
  const { store, made } = await freshSpace()
  const long = { text: 'x'.repeat(100_000) }
  for (const [path, kept] of [
    ['m/some/entry', false],
    ['ns/some/m/sys/mounts', false],
    ['sys/namespaces', true],
    ['sys/mounts', true],
    ['ns/some/sys/mounts', true],
  ] as const) {
    const writer = new Space(store, made.rootKey, made.keyring)
    const tx = await writer.begin()
    tx.put(path, long)
    await writer.commit(tx)
    for (const space of [writer, new Space(store, made.rootKey, made.keyring)]) {
      const first = await (await space.begin()).get(path)
      equal((await (await space.begin()).get(path)) === first, kept, path)
    }
  }
})

test('space refuses the commit of a transaction whose reads or lists are stale', async () => {
  const { space } = await freshSpace()
  const [one, two, three] = [await space.begin(), await space.begin(), await space.begin()]
  await one.get('x')
  one.put('x', { n: 1 })
  await two.get('x')
  two.put('x', { n: 2 })
  equal((await three.list('dir/')).length, 0)
  three.put('y', {})
  await space.commit(one)
  await rejects(space.commit(two), StoreConflict)
  const add = await space.begin()
  add.put('dir/new', {})
  await space.commit(add)
  await rejects(space.commit(three), StoreConflict)
})

test('transaction sees its own writes in get and list, and nothing after a rollback', async () => {
  const { space } = await freshSpace()
  const setup = await space.begin()
  setup.put('d/a', {})
  setup.put('d/b', {})
  await space.commit(setup)
  const tx = await space.begin()
  tx.remove('d/a')
  const mark = tx.mark()
  tx.put('d/c/x', { n: 1 })
  deepEqual(await tx.list('d/'), ['b', 'c/'])
  deepEqual(await tx.get('d/c/x'), { n: 1 })
  tx.rollback(mark)
  deepEqual(await tx.list('d/'), ['b'])
})

test('transaction that only read says whether all of it stood together', async () => {
  const { space } = await freshSpace()
  const reader = await space.begin()
  await reader.get('x')
  equal(await reader.consistent(), true)
  const writer = await space.begin()
  writer.put('y', {})
  await space.commit(writer)
  equal(await reader.consistent(), true)
  const again = await space.begin()
  again.put('x', {})
  await space.commit(again)
  equal(await reader.consistent(), false)
})

test('key ring rotated by one node is used by the other at its next transaction', async () => {
  const { store, space, made } = await freshSpace()
  const other = new Space(store, made.rootKey, made.keyring)
  await other.begin()
  const rotated = space.keyring.rotated(systemRandom, NOW)
  await store.write([{ key: 'core/keyring', value: rotated.store(made.rootKey) }], NOTHING_EXPECTED)
  const tx = await space.begin()
  equal(space.keyring.term, 2)
  tx.put('x', { n: 1 })
  await space.commit(tx)
  deepEqual(await (await other.begin()).get('x'), { n: 1 })
})

test('encryption count survives a new process and never goes back', async () => {
  const { store, space, made } = await freshSpace()
  for (let i = 0; i < 3; i++) {
    const tx = await space.begin()
    tx.put('x', { i })
    await space.commit(tx)
  }
  equal(await space.encryptions(), 3)
  const restarted = new Space(store, made.rootKey, made.keyring)
  ok((await restarted.encryptions()) >= 3)
  const tx = await restarted.begin()
  tx.put('x', {})
  await restarted.commit(tx)
  ok((await restarted.encryptions()) > 2 ** 20)
})

test('space does not keep what it has written when it already knows of a later writer', async () => {
  const inner = memoryStore()
  const gate: { hold?: Promise<void> } = {}
  const late = {
    ...inner,
    async write(...args: Parameters<typeof inner.write>) {
      const revision = await inner.write(...args)
      await gate.hold
      return revision
    },
  }
  const { space, made } = await freshSpace(late)
  const other = new Space(inner, made.rootKey, made.keyring)
  const first = await space.begin()
  first.put('x', { by: 'first' })
  await space.commit(first)
  await (await space.begin()).get('x')
  let release = () => {}
  gate.hold = new Promise((done) => (release = done))
  const mine = await space.begin()
  mine.put('x', { by: 'me' })
  const acknowledged = space.commit(mine)
  await new Promise((done) => setImmediate(done))
  const theirs = await other.begin()
  deepEqual(await theirs.get('x'), { by: 'me' })
  theirs.put('x', { by: 'them' })
  await other.commit(theirs)
  await space.begin()
  release()
  await acknowledged
  deepEqual(await (await space.begin()).get('x'), { by: 'them' })
})

test('space does not ask the store for what it alone has written, and has it all the same', async () => {
  const { store, made } = await freshSpace()
  let asked = 0
  const counted = { ...store, changes: (since: number) => (asked++, store.changes(since)) }
  const own = new Space(counted, made.rootKey, made.keyring)
  const put = async (path: string, value: object | undefined) => {
    const tx = await own.begin()
    if (value) tx.put(path, value)
    else tx.remove(path)
    await own.commit(tx)
  }
  const seen = async (path: string) => (await own.begin()).get(path)
  // The first write reserves uses of the key, which is a write of its own.
  await put('a', { v: 1 })
  await seen('a')
  asked = 0
  await put('a', { v: 2 })
  deepEqual(await seen('a'), { v: 2 })
  const long = { v: 'x'.repeat(100_000) }
  await put('a', long)
  deepEqual(await seen('a'), long)
  await put('a', { v: 3 })
  deepEqual(await seen('a'), { v: 3 })
  await put('a', undefined)
  equal(await seen('a'), undefined)
  equal(asked, 0)
  // Another process comes first while a transaction is under way.
  const late = await own.begin()
  late.put('b', { v: 5 })
  const other = new Space(store, made.rootKey, made.keyring)
  const tx = await other.begin()
  tx.put('a', { v: 4 })
  await other.commit(tx)
  await own.commit(late)
  deepEqual(await seen('a'), { v: 4 })
  equal(asked, 1)
})

test('space does not keep what it asked for before it wrote', async () => {
  const { store, made } = await freshSpace()
  const gates: (() => void)[] = []
  let slow = false
  const get: typeof store.get = (key) => {
    const found = store.get(key)
    return slow ? new Promise((done) => gates.push(() => done(found))) : found
  }
  const own = new Space({ ...store, get }, made.rootKey, made.keyring)
  const put = async (value: object | undefined) => {
    const tx = await own.begin()
    if (value) tx.put('a', value)
    else tx.remove('a')
    await own.commit(tx)
  }
  await put({ v: 1 })
  for (const next of [{ v: 2 }, undefined, { v: 3 }]) {
    // From another process, so that it is not in the cache.
    const other = new Space(store, made.rootKey, made.keyring)
    const foreign = await other.begin()
    foreign.put('a', { v: 'other' })
    await other.commit(foreign)
    const early = await own.begin()
    slow = true
    const asked = early.get('a')
    slow = false
    await put(next)
    for (const open of gates.splice(0)) open()
    deepEqual(await asked, { v: 'other' })
    deepEqual(await (await own.begin()).get('a'), next)
  }
})

test('space lists in the order of bytes, beyond the basic plane too', async () => {
  const { space } = await freshSpace()
  const names = ['\u{1f511}', '\uff5e', 'a', 'B', 'é']
  const tx = await space.begin()
  for (const name of names) tx.put(`d/${name}`, {})
  deepEqual(await tx.list('d/'), ['B', 'a', 'é', '\uff5e', '\u{1f511}'])
  await space.commit(tx)
  deepEqual(await (await space.begin()).list('d/'), ['B', 'a', 'é', '\uff5e', '\u{1f511}'])
  const page = { after: 'a', limit: 2 }
  deepEqual(await (await space.begin()).list('d/', page), ['é', '\uff5e'])
})
