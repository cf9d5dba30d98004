/** The table of what is answered is true: by routing, and without an operation left unexplained. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { coverage, fits, publishedOperations } from '../../scripts/coverage.ts'
import { REASONS } from '../../scripts/coverage-reasons.ts'
import { everyEngine } from '../../scripts/gen.ts'

const engines = await everyEngine()
const all = coverage(engines)
const name = ({ method, path }: { method: string; path: string }) => `${method} ${path}`

test('the facts are one line an operation', () => {
  const names = publishedOperations().map(name)
  equal(names.length, 1049)
  equal(new Set(names).size, names.length)
  ok(names.every((each) => /^(GET|LIST|POST|PATCH|DELETE) \/\S+$/.test(each)))
})

test('what an engine of this build does not answer has a reason', () => {
  deepEqual(all.filter(({ why }) => why === 'no reason is given').map(name), [])
})

test('no reason is left over', () => {
  const used = new Set(all.map(({ reason }) => reason))
  const idle = REASONS.filter((reason) => !used.has(reason))
  deepEqual(
    idle.map(({ why }) => why),
    [],
  )
  const names = all.map(name)
  const patterns = REASONS.flatMap(({ operations }) => operations)
  deepEqual(
    patterns.filter((glob) => !names.some((each) => fits(glob, each))),
    [],
  )
})

test('what is implemented is for those the description names', () => {
  const differs = all.filter((each) => {
    if (each.status !== 'implemented') return false
    const published = each.sudo ? 'sudo' : each.public ? 'public' : 'ordinary'
    return (each.access === 'login' ? 'public' : each.access) !== published
  })
  deepEqual(differs.map(name).sort(), [
    // The description has `generate-root/attempt` without a token, and this, the same, with one.
    'DELETE /sys/generate-root',
    'GET /sys/generate-root',
    // Of people's names and doings; newer versions ask for sudo too.
    'GET /sys/internal/counters/activity/export',
    // Asked for before anybody logs in.
    'GET /sys/internal/ui/feature-flags',
    // Sudo is asked for in the handler, with Vault's own words.
    'POST /auth/token/revoke-orphan',
    'POST /sys/generate-root',
  ])
})

test('a pattern is not more than it says', () => {
  equal(fits('GET /sys/a*', 'GET /sys/ab/c'), true)
  equal(fits('GET /sys/a', 'GET /sys/ab'), false)
  equal(fits('* /sys/{a}/+', 'POST /sys/{a}/+'), true)
  equal(fits('* /sys/a+', 'POST /sys/aa'), false)
})
