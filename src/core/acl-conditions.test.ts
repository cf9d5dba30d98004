import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { compileAcl, type Operation } from './acl.ts'
import { parsePolicy } from './policies.ts'

/** One rule for `a` from each body, all merged; `allow` and `deny` ask with data. */
function rules(...bodies: string[]) {
  const capabilities =
    'capabilities = ["create", "read", "update", "patch", "delete", "list", "scan"]'
  const policies = bodies.map((body, i) => ({
    name: `p${i}`,
    policy: parsePolicy(`path "a" { ${body.includes('deny') ? '' : capabilities} ${body} }`),
  }))
  const compiled = compileAcl(policies)
  const ask =
    (expected: boolean) =>
    (data?: Record<string, unknown>, operation: Operation = 'update', wrapTtlSeconds = 0) => {
      const request = { path: 'a', operation, wrapTtlSeconds, ...(data && { data }) }
      equal(compiled.check(request).allowed, expected, JSON.stringify(request))
    }
  return { allow: ask(true), deny: ask(false), compiled }
}

test('a required parameter must be there, whatever its case and value', () => {
  const { allow, deny } = rules('required_parameters = ["Foo"]')
  deny()
  deny({})
  deny({ bar: 1 })
  deny({ bar: 1 }, 'read')
  allow({ foo: null })
  allow({ FOO: 1, bar: 2 })
})

test('no data at all is allowed', () => {
  const { allow } = rules('denied_parameters { "*" = [] } allowed_parameters { x = ["y"] }')
  allow()
  allow({})
})

test('a denied star denies every parameter', () => {
  const { deny } = rules('denied_parameters { "*" = ["x"] b = ["1"] }')
  deny({ a: 1 })
  deny({ b: '2' })
})

test('a denied parameter without values is denied with any value, with values with those', () => {
  const { allow, deny } = rules('denied_parameters { Foo = [] bar = ["a*", "*z", 1, true] }')
  deny({ foo: 1 })
  deny({ FOO: null, x: 1 })
  deny({ Bar: 'abc' })
  deny({ bar: 'xyz' })
  deny({ bar: 1 })
  deny({ bar: true })
  allow({ bar: 'b' })
  allow({ bar: '1' })
  allow({ bar: 'true' })
  allow({ other: 1 })
})

test('an empty allowed map, or just a star, allows every parameter', () => {
  rules('allowed_parameters {}').allow({ a: 1 })
  const { allow } = rules('allowed_parameters { "*" = [] }')
  allow({ a: 1, b: { c: 2 } })
  rules('allowed_parameters { "*" = ["x"] }').allow({ a: 1, '*': 2 })
})

test('every parameter must be listed, and its value too when values are', () => {
  const { allow, deny } = rules(
    'allowed_parameters { Foo = [] bar = ["a*", 7, [1, "x"], { k = 1 }] }',
  )
  allow({ foo: 'any', BAR: 'abc' })
  allow({ bar: 7 })
  allow({ bar: [1, 'x'] })
  allow({ bar: { k: 1 } })
  deny({ other: 1 })
  deny({ foo: 1, other: 1 })
  deny({ bar: 'b' })
  deny({ bar: '7' })
  deny({ bar: 8 })
  deny({ bar: null })
  deny({ bar: [1] })
  deny({ bar: [1, 'xy'] })
  deny({ bar: [1, 'x', 2] })
  deny({ bar: { k: 1, l: 2 } })
  deny({ bar: { l: 1 } })
  deny({ bar: ['a'] })
  deny({ Bar: 'b', bar: 'abc' })
})

test('a star beside others allows other parameters, not other values', () => {
  const { allow, deny } = rules('allowed_parameters { "*" = [] bar = ["a"] }')
  allow({ other: 1, bar: 'a' })
  deny({ other: 1, bar: 'b' })
})

test('denied goes before allowed', () => {
  const { allow, deny } = rules('allowed_parameters { a = [] } denied_parameters { a = ["x"] }')
  deny({ a: 'x' })
  allow({ a: 'y' })
})

test('parameters are judged on create, read, update and patch, and on nothing else', () => {
  const { allow, deny } = rules('denied_parameters { a = [] } required_parameters = ["b"]')
  for (const operation of ['create', 'read', 'update', 'patch'] as const) deny({ a: 1 }, operation)
  for (const operation of ['delete', 'list', 'scan'] as const) allow({ a: 1 }, operation)
})

test('names from the prototype are just names', () => {
  const { allow, deny } = rules('denied_parameters { "__proto__" = [] constructor = [] }')
  deny(JSON.parse('{"__proto__": 1}') as Record<string, unknown>)
  deny({ constructor: 1 })
  allow({ toString: 1 })
  rules('allowed_parameters { a = [{ "__proto__" = {} }] }').deny({ a: { x: 1 } })
  rules('required_parameters = ["constructor"]').deny({ a: 1 })
})

test('merged parameters keep both lists, and an empty one opens the parameter', () => {
  const both = rules('allowed_parameters { a = ["1"] }', 'allowed_parameters { a = ["2"] b = [] }')
  both.allow({ a: '1' })
  both.allow({ a: '2', b: 1 })
  both.deny({ a: '3' })
  for (const bodies of [
    ['allowed_parameters { a = ["1"] }', 'allowed_parameters { a = [] }'],
    ['allowed_parameters { a = [] }', 'allowed_parameters { a = ["1"] }'],
  ]) {
    rules(...bodies).allow({ a: '3' })
    rules(...bodies).deny({ b: '3' })
    rules(...bodies.map((body) => body.replace('allowed', 'denied'))).allow({ b: '3' })
  }
  rules('denied_parameters { a = ["1"] }', 'denied_parameters { a = [] }').deny({ a: '3' })
  // A policy that says nothing about parameters does not take another one's limits away.
  rules('', 'allowed_parameters { a = [] }').deny({ b: 1 })
  const required = rules('required_parameters = ["a"]', 'required_parameters = ["b"]')
  required.deny({ a: 1 })
  required.allow({ a: 1, b: 1 })
})

test('wrapping must be asked for within its bounds, on every operation', () => {
  for (const operation of ['create', 'read', 'update', 'patch', 'delete', 'list'] as const) {
    const { allow, deny } = rules('min_wrapping_ttl = 60 max_wrapping_ttl = "1h"')
    deny({}, operation)
    deny({}, operation, 59)
    allow({}, operation, 60)
    allow({}, operation, 3600)
    deny({}, operation, 3601)
  }
  rules('max_wrapping_ttl = 60').deny({})
  rules('max_wrapping_ttl = 60').allow({}, 'read', 1)
  rules('min_wrapping_ttl = 60').deny({})
  rules('min_wrapping_ttl = 60').allow({}, 'read', 1e6)
  rules('min_wrapping_ttl = 0').allow({})
})

test('of several wrapping bounds the lowest holds', () => {
  const { allow, deny } = rules('max_wrapping_ttl = 60', 'max_wrapping_ttl = 30', '')
  allow({}, 'read', 30)
  deny({}, 'read', 31)
  rules('min_wrapping_ttl = 60', 'min_wrapping_ttl = 30').allow({}, 'read', 30)
  const never = rules('min_wrapping_ttl = 60', 'max_wrapping_ttl = 30')
  for (const seconds of [0, 30, 45, 60, 90]) never.deny({}, 'read', seconds)
})

test('deny in a policy clears what others asked for', () => {
  const { deny } = rules('allowed_parameters { a = [] }', 'capabilities = ["deny"]')
  deny({ a: 1 })
  deny({})
})

test('a page may be as long as its limit, and the verdict tells the limit', () => {
  const { allow, deny, compiled } = rules('pagination_limit = 10', 'pagination_limit = 20')
  for (const limit of [1, 10, '10', 'max', undefined]) allow({ limit }, 'list')
  for (const limit of [0, -1, 11, '11', '0', 'all', '', null, 1e9, [1]]) deny({ limit }, 'scan')
  allow({ limit: 99 }, 'read')
  allow(undefined, 'list')
  equal(compiled.check({ path: 'a', operation: 'list' }).paginationLimit, 10)
  equal(compiled.check({ path: 'a', operation: 'read' }).paginationLimit, undefined)
  const required = rules('pagination_limit = 10 required_parameters = ["limit"]')
  required.deny({}, 'list')
  required.allow({ limit: 'max' }, 'list')
})

test('a rule that asks for a second factor is closed, as nobody can give one here', () => {
  const { compiled } = rules('mfa_methods = ["a"]', '')
  equal(compiled.check({ path: 'a', operation: 'read' }).allowed, false)
  const { compiled: none } = rules('mfa_methods = []', '')
  equal(none.check({ path: 'a', operation: 'read' }).allowed, true)
})
