import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { CONFIG_TABLES } from './config-keys.ts'
import { configMarkdown } from './config-markdown.ts'
import { readConfig } from './config.ts'

const page = configMarkdown()
const byText = (a: string, b: string) => (a < b ? -1 : Number(a > b))
const guide = readFileSync(new URL('../../docs/operate/config.md', import.meta.url), 'utf8')

test('configMarkdown() names every key of every table once', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const names = (lines: readonly string[]) =>
    lines.map((line) => String(line.split('`')[1])).toSorted(byText)
  const variables = rows.filter((line) => /^\| `[A-Z]/.test(line))
  equal(variables.length, 4)
  deepEqual(
    names(rows.filter((line) => !variables.includes(line))),
    CONFIG_TABLES.flatMap(({ table }) => Object.keys(table)).toSorted(byText),
  )
})

test('configMarkdown() shows defaults as they are written in a file', () => {
  ok(page.includes('| `address` | host:port | `127.0.0.1:8200` |'))
  ok(page.includes('| `http_idle_timeout` | duration | `300s` |'))
  ok(page.includes('| `path` | path | required |'))
  ok(page.includes('| `COFFER_LOG_LEVEL` | `log_level` |'))
})

test('configMarkdown() writes tables that hold together', () => {
  for (const line of page.split('\n')) {
    if (line.startsWith('|')) ok(/^\|(?: [^|]* \|){2,4}$/.test(line), line)
    ok(!line.includes('undefined') && !line.includes('[object'), line)
  }
  ok(page.endsWith('|\n'))
})

test('every key has a help that is a sentence, every reason one that is not', () => {
  for (const { form, table } of CONFIG_TABLES) {
    for (const [name, key] of Object.entries(table)) {
      const text = key.use === 'read' || key.use === 'block' ? key.help : key.why
      const sentence = text.endsWith('.')
      equal(sentence, key.use === 'read' || key.use === 'block', `${form} ${name}: ${text}`)
    }
  }
})

test('every example of the guide is a configuration', () => {
  const examples = [...guide.matchAll(/```(?:hcl|json)\n(.*?)```/gs)].map(([, text = '']) => text)
  ok(examples.length >= 6)
  const env = { COFFER_SEAL_KEY: '0f'.repeat(32), COFFER_SEAL_KEY_NEW: '1f'.repeat(32) }
  for (const text of examples) {
    deepEqual(readConfig([{ file: 'guide', text }], { env }).warnings, [])
  }
})
