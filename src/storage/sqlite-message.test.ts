/** What one thread packs, the other unpacks as it was, group after group. */
import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Job, packer, type PackedGroup, unpacker } from './sqlite-message.ts'

const key = fc.oneof(
  // Few, so that they come again.
  fc.constantFrom('d/aa', 'd/bb', 'd/cc/dd', 'core/keyring'),
  fc.stringMatching(/^[\w/-]{1,30}$/),
)
const revision = fc.nat({ max: 2 ** 40 })
const plain = { noNullPrototype: true }
const job: fc.Arbitrary<Job> = fc.record(
  {
    id: fc.nat(),
    batch: fc.array(
      fc.oneof(
        fc.record({ key, value: fc.constant(undefined) }, plain),
        fc.record({ key, value: fc.uint8Array({ maxLength: 50 }) }, plain),
        fc.record(
          {
            key,
            value: fc.uint8Array({ maxLength: 50 }),
            due: fc.integer({ min: 1, max: 2e12 }),
          },
          plain,
        ),
      ),
      { maxLength: 5 },
    ),
    expect: fc.record(
      {
        since: revision,
        keys: fc.array(fc.record({ key, revision }, plain), { maxLength: 6 }),
        ranges: fc.array(
          fc.record({ prefix: fc.oneof(key, fc.constant('')), since: revision }, plain),
          {
            maxLength: 3,
          },
        ),
      },
      { requiredKeys: ['keys', 'ranges'], ...plain },
    ),
  },
  plain,
)

/** As it crosses to the other thread. */
const sent = (group: PackedGroup) => structuredClone(group, { transfer: [group.bytes.buffer] })

test('unpacker() gives what packer() was given, group after group', () => {
  fc.assert(
    fc.property(fc.array(fc.array(job, { maxLength: 4 }), { maxLength: 5 }), (groups) => {
      const [pack, unpack] = [packer(), unpacker()]
      for (const jobs of groups) deepEqual(unpack(sent(pack(jobs))), jobs)
    }),
  )
})

test('packer() sends a key that is read once, and forgets with the other side', () => {
  const [pack, unpack] = [packer(), unpacker()]
  const reads = (names: readonly string[]): Job[] => [
    {
      id: 1,
      batch: [{ key: names[0]!, value: Uint8Array.of(1) }],
      expect: { keys: names.map((each) => ({ key: each, revision: 3 })), ranges: [] },
    },
  ]
  deepEqual(pack(reads(['d/a', 'd/b'])).text, 'd/a\nd/b')
  deepEqual(pack(reads(['d/b', 'd/a', 'd/b', 'd/c'])).text, 'd/c')
  const second = packer()
  let longest = 0
  for (let group = 0; group < 70; group++) {
    const names = Array.from({ length: 1000 }, (_, i) => `d/${group}/${i}`)
    const packed = second(reads(names))
    longest = Math.max(longest, ...packed.numbers)
    deepEqual(unpack(sent(packed)), reads(names))
  }
  ok(longest < 25_000, `a number of ${longest}`)
})
