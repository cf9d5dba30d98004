import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Entity, type Group } from '../entity.ts'
import { checkTemplate, fillTemplate, templateText, type TemplateSubject } from './template.ts'

const NOW = Date.UTC(2026, 0, 1)
const at = { creation_time: '', last_update_time: '' }

function subject(changes: Partial<Entity> = {}, groups: Group[] = []): TemplateSubject {
  const entity: Entity = {
    id: 'entity-1',
    name: 'ann',
    metadata: { team: 'web' },
    policies: [],
    disabled: false,
    aliases: [
      {
        id: 'alias-1',
        name: 'ann@example.com',
        mount_accessor: 'auth_userpass_1',
        metadata: { mail: 'a@x' },
        custom_metadata: { desk: '4' },
        local: false,
        merged_from_canonical_ids: [],
        ...at,
      },
    ],
    merged_entity_ids: [],
    group_ids: [],
    ...at,
    ...changes,
  }
  return { entity, groups, now: NOW }
}

const group = (id: string, name: string, metadata: Record<string, string> = {}): Group => ({
  id,
  name,
  type: 'internal',
  metadata,
  policies: [],
  parent_group_ids: [],
  modify_index: 1,
  ...at,
})

test('checkTemplate() refuses what is not JSON with a directive in the place of a value', () => {
  const unbalanced = /unbalanced templating characters/
  const notJson = /error parsing template JSON/
  const unknown = /no value could be found for one of the template directives/
  const rows: [string, RegExp][] = [
    ['{"a": {{identity.entity.name}', unbalanced],
    ['{"a": {{', unbalanced],
    ['{{identity.entity.name}}', notJson],
    ['[{{identity.entity.name}}]', notJson],
    ['{{{identity.entity.name}}: 1}', unknown],
    ['{ {{identity.entity.name}}: 1}', notJson],
    ['{"a": "{{identity.entity.name}}"}', notJson],
    ['{"a": "{{identity.entity.metadata}}"}', notJson],
    ['{"a": "\\{{time.now}}"}', notJson],
    ['{"a": 1{{time.now}}}', notJson],
    ['{"a": {{identity.entity.name}}{{identity.entity.name}}}', notJson],
    ['{"a": {{identity.entity.name}} "b"}', notJson],
    ['{"a" {{identity.entity.name}}}', notJson],
    ['{"a": 1', notJson],
    ['null', notJson],
    ['{"a": {{}}}', unknown],
    ['{"a": {{identity}}}', unknown],
    ['{"a": {{identity.entity}}}', unknown],
    ['{"a": {{identity.entity.policies}}}', unknown],
    ['{"a": {{identity.entity.metadata.}}}', unknown],
    ['{"a": {{identity.entity.aliases.auth_x_1}}}', unknown],
    ['{"a": {{identity.entity.aliases.auth_x_1.custom_metadata.}}}', unknown],
    ['{"a": {{identity.groups.names.admins}}}', unknown],
    ['{"a": {{identity.groups.all.admins.id}}}', unknown],
    ['{"a": {{time.then}}}', /invalid time selector/],
    ['{"a": {{time.now.times.5}}}', /invalid time operator/],
    ['{"a": {{time.now.plus}}}', /missing time operand/],
    ['{"a": {{time.now.plus.soon}}}', /invalid duration/],
  ]
  for (const [template, text] of rows) throws(() => checkTemplate(template), text, template)
})

test('checkTemplate() tells the top-level names', () => {
  deepEqual(checkTemplate(''), [])
  deepEqual(checkTemplate('{}'), [])
  deepEqual(checkTemplate('{"a": {"b": {{time.now}}}, "c": [{{identity.entity.id}}]}'), ['a', 'c'])
})

test('fillTemplate() puts in what each directive stands for, as JSON', () => {
  const groups = [group('g1', 'admins', { level: '9' }), group('g2', 'staff')]
  const alias = 'identity.entity.aliases.auth_userpass_1'
  const rows: [string, unknown][] = [
    ['identity.entity.id', 'entity-1'],
    ['identity.entity.name', 'ann'],
    [' identity.entity.name ', 'ann'],
    ['identity.entity.metadata', { team: 'web' }],
    ['identity.entity.metadata.team', 'web'],
    ['identity.entity.metadata.absent', ''],
    ['identity.entity.metadata.toString', ''],
    ['identity.entity.groups.ids', ['g1', 'g2']],
    ['identity.entity.groups.names', ['admins', 'staff']],
    [`${alias}.id`, 'alias-1'],
    [`${alias}.name`, 'ann@example.com'],
    [`${alias}.metadata`, { mail: 'a@x' }],
    [`${alias}.metadata.mail`, 'a@x'],
    [`${alias}.custom_metadata`, { desk: '4' }],
    [`${alias}.custom_metadata.desk`, '4'],
    ['identity.entity.aliases.auth_other_1.name', ''],
    ['identity.entity.aliases.auth_other_1.metadata', {}],
    ['identity.entity.aliases.auth_other_1.custom_metadata.desk', ''],
    ['identity.groups.names.admins.id', 'g1'],
    ['identity.groups.names.admins.metadata.level', '9'],
    ['identity.groups.ids.g2.name', 'staff'],
    ['identity.groups.ids.g3.name', ''],
    ['time.now', NOW / 1000],
    ['time.now.plus.5m', NOW / 1000 + 300],
    ['time.now.minus.1h30m', NOW / 1000 - 5400],
    ['time.now.plus.60', NOW / 1000 + 60],
  ]
  for (const [directive, value] of rows) {
    const template = `{"a": {"b": {{${directive}}}}}`
    deepEqual(checkTemplate(template), ['a'], directive)
    deepEqual(fillTemplate(template, subject({}, groups)), { a: { b: value } }, directive)
  }
})

test('fillTemplate() puts times into strings, where they stay', () => {
  const template = '{"a": "from {{time.now.minus.1s}} \\" to {{time.now}}", "b": "\\\\", "c": 1}'
  checkTemplate(template)
  const [from, to] = [NOW / 1000 - 1, NOW / 1000]
  deepEqual(fillTemplate(template, subject()), { a: `from ${from} " to ${to}`, b: '\\', c: 1 })
})

test('fillTemplate() adds no claim, whatever the names and values hold', () => {
  const template =
    '{"n": {{identity.entity.name}}, "m": {{identity.entity.metadata}}, "k": ' +
    '{{identity.entity.metadata.k}}, "g": {{identity.entity.groups.names}}, "o": {"p": [' +
    '{{identity.entity.aliases.auth_userpass_1.name}}]}}'
  const hostile = fc.oneof(
    fc.constantFrom(
      '", "admin": true, "x": "',
      '}, "admin": {',
      '\n"admin": true',
      '{{identity.entity.id}}',
      '\\"',
      '__proto__',
      '\ud800',
      '\u2028',
    ),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(hostile, hostile, hostile, (name, key, value) => {
      const metadata = Object.fromEntries([
        [key, value],
        ['k', name],
      ])
      const { entity } = subject({ name, metadata })
      const aliases = entity.aliases.map((alias) => ({ ...alias, name: value }))
      const filled = fillTemplate(template, {
        ...subject({ name, metadata, aliases }, [group('g', value)]),
      })
      deepEqual(Object.keys(filled), ['n', 'm', 'k', 'g', 'o'])
      deepEqual(filled, { n: name, m: metadata, k: name, g: [value], o: { p: [value] } })
    }),
  )
})

test('templateText() takes base64 for what it stands for', () => {
  const template = '{"a": {{time.now}}}'
  equal(templateText(template), template)
  equal(templateText(Buffer.from(template).toString('base64')), template)
  equal(templateText(''), '')
})
