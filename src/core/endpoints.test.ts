import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { defineEngine, endpoint, type Failure, t } from '../kit/kit.ts'
import { parseFields, routesOf } from './endpoints.ts'

const at = (path: string) =>
  endpoint(path, {
    help: path,
    fields: {
      name: t.name({ help: 'A name.' }),
      rest: t.rest({ help: 'The rest.' }),
      ttl: t.duration({ help: 'A time.', default: 5 }),
      must: t.string({ help: 'Needed.', default: '' }),
    },
    read: () => undefined,
  })
const engine = defineEngine({
  type: 'demo',
  help: 'A demo.',
  endpoints: [at('role'), at('role/:name'), at('role/:name/id'), at('role/all'), at('data/:rest*')],
})
const find = (path: string) => {
  const match = routesOf(engine).match(path)
  return match && [match.endpoint.path, match.captures]
}

for (const path of ['', 'nope', 'role/a/b', 'role/a/id/c', 'datax', 'role//id']) {
  test(`routes know no endpoint for "${path}"`, () => {
    if (path === 'role//id') deepEqual(find(path)?.[0], 'role/:name/id')
    else equal(find(path), undefined)
  })
}

for (const [path, endpoint, captures] of [
  ['role', 'role', {}],
  ['role/', 'role', {}],
  ['role/a', 'role/:name', { name: 'a' }],
  ['role/a/id', 'role/:name/id', { name: 'a' }],
  ['role/all', 'role/all', {}],
  ['role/all/id', 'role/:name/id', { name: 'all' }],
  ['data', 'data/:rest*', { rest: '' }],
  ['data/', 'data/:rest*', { rest: '' }],
  ['data/a/b/', 'data/:rest*', { rest: 'a/b/' }],
] as const) {
  test(`routes send "${path}" to ${endpoint}`, () => deepEqual(find(path), [endpoint, captures]))
}

test('routesOf() refuses two endpoints on one path', () => {
  const twice = defineEngine({
    type: 'twice',
    help: '',
    endpoints: [at('a/:name'), at('a/:other')],
  })
  throws(() => routesOf(twice), /two endpoints claim a\/:other/)
})

test('parseFields() says which field is wrong and what it wants, never the value', () => {
  const match = routesOf(engine).match('role/a')!
  throws(
    () => parseFields(match, { ttl: 'hunter2' }),
    (error: Failure) =>
      error.status === 400 && /field "ttl"/.test(error.message) && !/hunter2/.test(error.message),
  )
})

test('parseFields() answers 404 to a capture that is not a name', () => {
  throws(
    () => parseFields(routesOf(engine).match('role/a b')!, {}),
    (error: Failure) => error.status === 404,
  )
})

test('parseFields() lets the path win, and warns about that and about unknown fields', () => {
  const match = routesOf(engine).match('role/a')!
  const { data, warnings, given } = parseFields(match, { name: 'b', zeta: 1, alpha: 2 })
  equal(data['name'], 'a')
  equal(data['ttl'], 5)
  deepEqual([...given], ['name'])
  deepEqual(warnings.length, 2)
  equal(warnings[0], 'Endpoint ignored these unrecognized parameters: [alpha zeta]')
})

test('parseFields() takes null for a field that was not given', () => {
  const match = routesOf(engine).match('role/a')!
  const { data, given } = parseFields(match, { ttl: null, must: null })
  deepEqual([data['ttl'], data['must']], [5, ''])
  deepEqual([...given], ['name'])
})
