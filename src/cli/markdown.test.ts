import { equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { commandsOf, FAMILIES } from './families.ts'
import { cliMarkdown } from './markdown.ts'

test('cliMarkdown() has a heading for every command, once', async () => {
  const page = await cliMarkdown()
  for (const command of (await Promise.all(FAMILIES.map(commandsOf))).flat()) {
    equal(page.split(`\n### ${command.path.join(' ')}\n`).length, 2, command.path.join(' '))
  }
})

test('cliMarkdown() keeps its tables whole and its fences closed', async () => {
  const page = await cliMarkdown()
  equal((page.match(/^```/gm) ?? []).length % 2, 0)
  for (const row of page.match(/^\|.*$/gm) ?? []) {
    equal(row.replaceAll('\\|', '').split('|').length, 5, row)
  }
  ok(!page.includes('undefined') && !page.includes('[object'))
})

test('cliMarkdown() says what a flag is by default', async () => {
  match(await cliMarkdown(), /\| `-key-shares`, `-n` \| int \| .* Default: 5\. \|/)
})
