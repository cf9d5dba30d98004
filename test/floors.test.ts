/**
 * The house rules, as tests. A file may import from its own room and from the floors listed here.
 * To add a room, add a line; to bend a rule, change this file, where everyone will see it.
 */
import { deepEqual } from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const below = ['lib', 'crypto', 'schema', 'storage', 'rules', 'kit', 'barrier']
const MAY_IMPORT: Record<string, readonly string[]> = {
  lib: [],
  crypto: ['lib'],
  schema: ['lib'],
  rules: ['lib'],
  storage: ['lib'],
  kit: ['lib', 'schema', 'storage'],
  barrier: ['lib', 'crypto', 'storage'],
  core: below,
  derive: ['lib', 'schema', 'kit'],
  secrets: ['lib', 'crypto', 'schema', 'kit'],
  auth: ['lib', 'crypto', 'schema', 'kit'],
  audit: ['lib', 'crypto', 'schema', 'kit'],
  client: ['lib'],
  scan: ['lib', 'crypto', 'rules'],
  scrub: ['lib', 'crypto', 'rules'],
  server: [...below, 'core', 'secrets', 'auth', 'audit', 'derive'],
  agent: ['lib', 'schema', 'client', 'scrub'],
  cli: [...below, 'core', 'derive', 'client', 'scan', 'scrub', 'server', 'agent'],
}
/** Floors whose rooms are folders of their own: an engine never sees its sibling. */
const HOUSES = ['secrets', 'auth']
const FILE_LINES_MAX = 400
const TEST_LINES_MAX = 600

const sources = globSync('src/**/*.ts')
const floor = (path: string) => path.split('/')[1] ?? ''
const room = (path: string) => path.split('/', HOUSES.includes(floor(path)) ? 3 : 2).join('/')
const isTest = (path: string) => path.endsWith('.test.ts')

/** Every `from '…'`, `import '…'` and `import('…')` with a relative target. */
function imports(file: string): string[] {
  const found = readFileSync(file, 'utf8').matchAll(
    /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)['"](\.[^'"]+)['"]/g,
  )
  return [...found].map(([, target = '']) => join(dirname(file), target))
}

test('every import goes down the floors', () => {
  const upward: string[] = []
  for (const file of sources) {
    // A test may use the test kit, and may stand its subject on anything.
    if (isTest(file)) continue
    for (const to of imports(file)) {
      const allowed = room(file) === room(to) || MAY_IMPORT[floor(file)]?.includes(floor(to))
      if (!allowed) upward.push(`${file} -> ${to}`)
    }
  }
  deepEqual(upward, [])
})

test('every folder of the house is listed', () => {
  const strangers = sources.filter((file) => MAY_IMPORT[floor(file)] === undefined)
  deepEqual(strangers, [])
})

test('files can be held in the head', () => {
  const long: string[] = []
  const tests = globSync('test/**/*.ts', { exclude: ['**/node_modules/**'] })
  for (const file of [...sources, ...tests, ...globSync('scripts/**/*.ts')]) {
    if (/\.(gen|vectors)\.ts$/.test(file)) continue
    const lines = readFileSync(file, 'utf8').split('\n').length - 1
    const max = isTest(file) ? TEST_LINES_MAX : FILE_LINES_MAX
    if (lines > max) long.push(`${file}: ${lines} lines, at most ${max}`)
  }
  deepEqual(long, [])
})

test('file names say what is inside', () => {
  const vague = /\/(utils?|helpers?|common|misc|types|index)\.ts$/
  const odd = sources.filter((f) => vague.test(f) || !/\/[a-z0-9.-]+\.ts$/.test(f))
  deepEqual(odd, [])
})

test('nothing unfinished reaches main', () => {
  const words = /\b(FIXME|XXX|TODO)\b/
  const marked = sources.filter((file) => words.test(readFileSync(file, 'utf8')))
  deepEqual(marked, [])
})
