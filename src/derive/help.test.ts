import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { defineEngine, endpoint, t } from '../kit/kit.ts'
import { kvV2 } from '../secrets/kv/v2.ts'
import { helpBody } from './help.ts'
import { enginePage, pageName } from './markdown.ts'

const role = endpoint('role/:name', {
  help: 'A role.',
  description: 'Longer about a role.',
  fields: {
    name: t.name({ help: 'Its name.' }),
    ttl: t.duration({ help: 'How long | wide.', default: 60 }),
    tags: t.list({ help: 'Words.', default: [] }),
    key: t.string({ help: 'A key.', sensitive: true, required: 'missing key' }),
    old: t.bool({ help: 'Not any more.', deprecated: true }),
  },
  access: 'sudo',
  accessFor: ['delete'],
  write: () => ({}),
  delete: () => undefined,
  example: { ttl: '1h' },
})
const hidden = endpoint('way/:path*', {
  help: 'Hidden.',
  fields: {},
  hidden: true,
  read: () => ({}),
})
const engine = defineEngine({ type: 'small', help: 'A small engine.', endpoints: [role, hidden] })
const mount = { path: 'here/', engine }
const options = { version: '1' }

test('helpBody() shows the whole mount for its root and for what is hidden', () => {
  for (const at of [
    { path: 'here/' },
    { path: 'here/nothing' },
    { path: 'here/way/x', endpoint: hidden },
  ]) {
    const { help, openapi } = helpBody(mount, at, options)
    match(help, /^## here\/\n\nA small engine\.\n\n## PATHS\n\n {4}role\/:name\n {8}A role\.\n/)
    ok(!help.includes('Hidden'))
    deepEqual(Object.keys(openapi['paths'] as object), ['/here/role/{name}'])
  }
})

test('helpBody() shows one endpoint with its operations and parameters', () => {
  const { help, see_also } = helpBody(mount, { path: 'here/role/x', endpoint: role }, options)
  deepEqual(see_also, ['here/'])
  match(help, /^Request: {2}here\/role\/x\nPath: {5}role\/:name\n\nA role\.\n\nLonger about/)
  match(help, / {4}POST {4}needs a policy that grants it\n {4}DELETE {2}needs a policy.*sudo\n/)
  match(help, / {4}name \(string\)\n {8}Its name\.\n/)
  match(help, / {4}ttl \(duration\)\n {8}How long \| wide\. Default: 60\.\n/)
  match(help, / {4}tags \(list of strings\)\n {8}Words\.\n/)
  match(help, / {4}old \(boolean\), deprecated\n/)
})

test('enginePage() has a section for each endpoint that is shown', () => {
  const page = enginePage(engine, 'here/')
  match(page, /^# small\n\nA small engine\.\n/)
  match(page, /\n## `here\/role\/:name`\n\nA role\.\n/)
  match(page, /\n\| DELETE \| delete \| yes, with sudo \|\n/)
  match(page, /\n\| `ttl` \| duration \| `60` \| How long \\\| wide\. \|\n/)
  match(page, /\n\| `key` \| string \| {2}\| A key\. \(required, never read back\) \|\n/)
  match(page, /```json\n\{\n {2}"ttl": "1h"\n\}\n```/)
  ok(!page.includes('Hidden'))
})

test('pageName() tells versions of a type apart', () => {
  equal(pageName(engine), 'small.md')
  equal(pageName(kvV2), 'kv-v2.md')
})
