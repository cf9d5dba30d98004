/**
 * Random histories of a few keys, against a model that keeps everything and forgets nothing. After
 * every step each key must read as the model says, and the store must hold nothing else.
 */
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { kvV2 } from './v2.ts'

type Kv = ReturnType<typeof testEngine>
type Version = { data: Record<string, unknown>; deletion: number; destroyed: boolean }
/** `versions[n - 1]` is version n; undefined once it was dropped. */
type Key = { versions: (Version | undefined)[]; max: number; after: number; casRequired: boolean }
type Model = Map<string, Key>

type Step =
  | { do: 'put' | 'patch'; path: string; data: Record<string, string | null>; cas?: number }
  | { do: 'drop' | 'forget'; path: string }
  | { do: 'delete' | 'undelete' | 'destroy'; path: string; versions: number[] }
  | { do: 'set'; path: string; max: number; after: number; casRequired: boolean }
  | { do: 'wait'; seconds: number }

const path = fc.constantFrom('a', 'a/1', 'b')
const data = fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2', null), {
  noNullPrototype: true,
})
const versions = fc.array(fc.integer({ min: -1, max: 7 }), { minLength: 1, maxLength: 3 })
const cas = fc.integer({ min: 0, max: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), path, data }) },
  fc.record({ do: fc.constant('put' as const), path, data, cas }),
  fc.record({ do: fc.constant('patch' as const), path, data }),
  fc.record({ do: fc.constant('patch' as const), path, data, cas }),
  fc.record({ do: fc.constantFrom('drop' as const, 'forget' as const), path }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('delete' as const, 'undelete' as const, 'destroy' as const),
      path,
      versions,
    }),
  },
  fc.record({
    do: fc.constant('set' as const),
    path,
    max: fc.nat(4),
    after: fc.constantFrom(0, 0, 5),
    casRequired: fc.constantFrom(false, false, true),
  }),
  fc.record({ do: fc.constant('wait' as const), seconds: fc.nat(6) }),
)

const gone = (version: Version, now: number) =>
  version.destroyed || (version.deletion > 0 && version.deletion <= now)

const deletionOf = (key: Key, now: number) => (key.after > 0 ? now + key.after * 1000 : 0)

/** What the step does to the model, and the status it must be answered with. */
function expect(model: Model, step: Step, now: number): number {
  if (step.do === 'wait') return 200
  const old = model.get(step.path)
  const key = old ?? { versions: [], max: 0, after: 0, casRequired: false }
  const newest = key.versions.at(-1)
  switch (step.do) {
    case 'put':
    case 'patch': {
      if (step.do === 'patch' && !old) return 404
      if (step.cas === undefined ? key.casRequired : step.cas !== key.versions.length) return 400
      if (step.do === 'patch' && (!newest || gone(newest, now))) return 404
      const whole = step.do === 'put' ? step.data : merged(newest!.data, step.data)
      key.versions.push({ data: whole, deletion: deletionOf(key, now), destroyed: false })
      const oldest = key.versions.length - (key.max || 10)
      key.versions = key.versions.map((version, i) => (i < oldest ? undefined : version))
      model.set(step.path, key)
      break
    }
    case 'drop':
      if (newest && !gone(newest, now)) newest.deletion = now
      break
    case 'forget':
      model.delete(step.path)
      break
    case 'set':
      model.set(step.path, { ...key, ...step, versions: key.versions })
      break
    case 'delete':
    case 'undelete':
    case 'destroy':
      for (const number of step.versions) {
        const version = key.versions[number - 1]
        if (!version || version.destroyed) continue
        if (step.do === 'destroy') version.destroyed = true
        else if (step.do === 'undelete') version.deletion = deletionOf(key, now)
        else if (!gone(version, now)) version.deletion = now
      }
      break
  }
  return 200
}

function merged(target: Record<string, unknown>, patch: Record<string, unknown>) {
  const whole = { ...target, ...patch }
  for (const name of Object.keys(patch)) if (patch[name] === null) delete whole[name]
  return whole
}

function send(kv: Kv, step: Exclude<Step, { do: 'wait' }>) {
  const { path } = step
  if ('data' in step) {
    const body = { data: step.data, ...(step.cas !== undefined && { options: { cas: step.cas } }) }
    return step.do === 'put' ? kv.write(`data/${path}`, body) : kv.patch(`data/${path}`, body)
  }
  if ('versions' in step) return kv.write(`${step.do}/${path}`, { versions: step.versions })
  if (!('max' in step)) return kv.delete(`${step.do === 'drop' ? 'data' : 'metadata'}/${path}`)
  return kv.write(`metadata/${path}`, {
    max_versions: step.max,
    delete_version_after: step.after,
    cas_required: step.casRequired,
  })
}

async function run(kv: Kv, step: Step): Promise<number> {
  if (step.do === 'wait') {
    kv.clock.advance(step.seconds * 1000)
    return 200
  }
  return send(kv, step).then(
    (reply) => reply?.status ?? 200,
    (error: unknown) => (error as { status: number }).status,
  )
}

async function compare(kv: Kv, model: Model): Promise<void> {
  let kept = 0
  for (const path of ['a', 'a/1', 'b']) {
    const key = model.get(path)
    const metadata = await kv.read(`metadata/${path}`)
    equal(metadata !== undefined, key !== undefined)
    if (key) equal(dataOf(metadata)['current_version'], key.versions.length)
    const all = key?.versions ?? []
    kept += all.filter((version) => version && !version.destroyed).length
    for (const number of [0, ...all.keys().map((i) => i + 1), all.length + 1]) {
      const version = number === 0 ? all.at(-1) : all[number - 1]
      const reply = await kv.read(`data/${path}`, { version: number })
      equal(reply !== undefined, version !== undefined)
      if (!version) continue
      const dead = gone(version, kv.clock.now())
      equal(reply?.status, dead ? 404 : undefined)
      deepEqual(dataOf(reply)['data'], dead ? null : version.data)
      const metadata = dataOf(reply)['metadata'] as Record<string, unknown>
      equal(metadata['deletion_time'], version.deletion === 0 ? '' : rfc3339(version.deletion))
      equal(metadata['destroyed'], version.destroyed)
    }
  }
  equal(kv.entries().size, kept + model.size, 'nothing is left behind')
}

test('kv v2 does what a model of it does, through any history', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const kv = testEngine(kvV2)
      const model: Model = new Map()
      for (const step of steps) {
        const status = expect(model, step, kv.clock.now())
        equal(await run(kv, step), status, JSON.stringify(step))
        await compare(kv, model)
      }
    }),
    { numRuns: 150 },
  )
})
