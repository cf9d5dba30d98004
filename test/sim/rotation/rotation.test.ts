/** Nobody is stranded, whatever breaks and whenever; and an implementation that strands is found out. */
import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { freshSeed } from '../../torture/seeded.ts'
import { alterThenStore, fakeSubject } from './fake-subject.ts'
import { type RotationResult, simulateRotation } from './simulate.ts'
import { type MakeSubject } from './subject.ts'

/** Six more run on real databases: test/e2e/rotation-torture.test.ts. */
const RUNS = 294
const STEPS = 30

type Many = { runs: number; subject: MakeSubject; servedOnly?: boolean }

async function many(seed: number, { runs, ...run }: Many) {
  const all: RotationResult[] = []
  const wrong: string[] = []
  for (let i = 0; i < runs; i++) {
    const result = await simulateRotation({ seed: seed + i, steps: STEPS, ...run })
    all.push(result)
    for (const each of result.wrong) wrong.push(`seed ${seed + i}: ${each}`)
  }
  return { all, wrong }
}

test('a rotation strands nobody, whichever step breaks and whenever the server dies', async (t) => {
  const seed = freshSeed()
  t.diagnostic(`seed ${seed} (COFFER_SEED=${seed} plays it again)`)
  const { all, wrong } = await many(seed, { runs: RUNS, subject: fakeSubject })
  const sum = (of: (result: RotationResult) => number) => all.reduce((n, each) => n + of(each), 0)
  const struck = new Map<string, number>()
  for (const each of all) {
    for (const [name, n] of each.struck) struck.set(name, (struck.get(name) ?? 0) + n)
  }
  t.diagnostic(
    `${all.length} runs, ${sum((r) => r.published)} generations, ${sum((r) => r.logins)} logins, ` +
      `${sum((r) => r.kills)} kills, ${[...struck.values()].reduce((a, b) => a + b, 0)} faults of ` +
      `${struck.size} kinds`,
  )
  deepEqual(wrong, [])
})

test('a server that changes the password and then stores it is found out', async () => {
  const held = await many(freshSeed(), { runs: 5, subject: alterThenStore })
  ok(
    held.wrong.some((each) => /client|reader/.test(each)),
    'who holds the old one is stranded',
  )
  const served = await many(freshSeed(), { runs: 40, subject: alterThenStore, servedOnly: true })
  ok(
    served.wrong.some((each) => each.includes('served cannot log in')),
    'so is who reads anew',
  )
})
