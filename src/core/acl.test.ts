import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from '../lib/json.ts'
import { type AclRequest, compileAcl, type Operation, ROOT_ACL } from './acl.ts'
import { DEFAULT_POLICY, parsePolicy } from './policies.ts'

type More = Omit<Partial<AclRequest>, 'path' | 'operation'>
/** The two words the tables below are written in: each one asks and insists on the answer. */
function acl(...texts: string[]) {
  const policies = texts.map((text, i) => ({ name: `p${i}`, policy: parsePolicy(text) }))
  const compiled = compileAcl(policies)
  const ask =
    (expected: boolean) =>
    (operation: Operation, path: string, more: More = {}) =>
      equal(
        compiled.check({ path, operation, ...more }).allowed,
        expected,
        `${operation} ${path} ${JSON.stringify(more)} should be ${expected}`,
      )
  return { ...compiled, allow: ask(true), deny: ask(false) }
}
const path = (pattern: string, capabilities: string, more = '') =>
  `path "${pattern}" { capabilities = ${JSON.stringify(capabilities.split(' '))} ${more} }\n`

test('check() refuses what no rule allows', () => {
  const none = acl()
  none.deny('read', 'a')
  none.deny('read', '')
  none.deny('list', '')
  acl('path "a" {}').deny('read', 'a')
  const { allow, deny } = acl(path('a', 'read'))
  allow('read', 'a')
  deny('read', 'a/')
  deny('read', 'ab')
  deny('read', '')
  deny('update', 'a')
})

test('check() keeps each operation to its own capability', () => {
  const operations = ['create', 'read', 'update', 'patch', 'delete', 'list', 'scan'] as const
  for (const granted of operations) {
    const { allow, deny } = acl(path('a/*', granted))
    for (const asked of operations) (asked === granted ? allow : deny)(asked, 'a/b')
  }
  const { deny } = acl(path('a', 'sudo subscribe recover'))
  for (const asked of operations) deny(asked, 'a')
})

test('check() says sudo apart from allowed', () => {
  const { check } = acl(path('a', 'sudo'), path('b', 'sudo read'), path('c', 'read'))
  const ask = (p: string) => check({ path: p, operation: 'read' })
  deepEqual([ask('a').allowed, ask('a').sudo], [false, true])
  deepEqual([ask('b').allowed, ask('b').sudo], [true, true])
  deepEqual([ask('c').allowed, ask('c').sudo], [true, false])
})

// Patterns, section by section: what matches at all.

test('a pattern without wildcard is exact, a closing star is a prefix, any other star is a star', () => {
  const { allow, deny } = acl(path('x/*/y', 'read') + path('a/b*', 'read') + path('*z', 'read'))
  allow('read', 'x/*/y')
  deny('read', 'x/q/y')
  allow('read', 'a/b')
  allow('read', 'a/bc/d')
  deny('read', 'a/')
  allow('read', '*z')
  deny('read', 'zz')
  acl(path('*', 'read')).allow('read', '')
  acl(path('*', 'read')).allow('read', 'any/thing')
})

test('a plus is one whole segment', () => {
  const { allow, deny } = acl(
    path('a/+/c', 'read') + path('+/x/d*', 'read') + path('b/c+d', 'read'),
  )
  allow('read', 'a/b/c')
  deny('read', 'a/b/b/c')
  deny('read', 'a/c')
  deny('read', 'a/b/c/')
  deny('read', 'a/b')
  allow('read', 'q/x/d')
  allow('read', 'q/x/de/f')
  deny('read', 'q/x/e')
  deny('read', 'q/q/x/d')
  allow('read', 'b/c+d')
  deny('read', 'b/cxd')
  acl(path('+', 'read')).allow('read', 'a')
  acl(path('+', 'read')).deny('read', 'a/b')
  acl(path('a/+/*', 'read')).allow('read', 'a/b/')
  acl(path('a/+/*', 'read')).deny('read', 'a/b')
})

test('a leading slash in a pattern does not count', () => {
  acl(path('/a/*', 'read')).allow('read', 'a/b')
})

// Priority: each pair is better, worse, and a path that both match.

const pairs: [string, string, string][] = [
  ['a/b', 'a/*', 'a/b'],
  ['a/b', 'a/+', 'a/b'],
  ['a/b*', 'a/*', 'a/bc'],
  ['a/b*', 'a/+', 'a/bc'],
  ['a/b/+/d', 'a/+/c/d', 'a/b/c/d'],
  ['a/b/*', 'a/+/c', 'a/b/c'],
  ['a/+', 'a/*', 'a/b'],
  ['a/+/c', 'a/+/*', 'a/b/c'],
  ['a/+/c/d', 'a/+/+/d', 'a/b/c/d'],
  ['a/+/c*', 'a/+/*', 'a/b/cd'],
  ['a/+/cd*', 'a/+/c*', 'a/b/cde'],
  ['a/+/b/+', 'a/+/+/c', 'a/b/b/c'],
  ['+', '*', 'a'],
  ['a/*', 'a/+/*', 'a/b/c'],
]

for (const [better, worse, both] of pairs) {
  test(`'${better}' speaks for ${both}, '${worse}' does not`, () => {
    for (const policies of [
      [path(better, 'read') + path(worse, 'deny')],
      [path(worse, 'deny'), path(better, 'read')],
    ]) {
      acl(...policies).allow('read', both)
    }
    acl(path(better, 'deny') + path(worse, 'read')).deny('read', both)
    acl(path(better, 'update') + path(worse, 'read')).deny('read', both)
  })
}

// Listing.

test('LIST finds an exact rule with and without the closing slash', () => {
  for (const pattern of ['a/b', 'a/b/']) {
    const { allow, deny } = acl(path(pattern, 'list scan'))
    for (const asked of ['a/b', 'a/b/']) {
      allow('list', asked)
      allow('scan', asked)
    }
    deny('list', 'a')
    deny('list', 'a/b/c')
  }
  acl(path('a/b/', 'list') + path('a/b', 'deny')).allow('list', 'a/b')
  acl(path('a/b/', 'deny') + path('a/b', 'list')).deny('list', 'a/b')
  acl(path('a/b', 'deny') + path('a/b/*', 'list')).deny('list', 'a/b/')
  acl(path('a/b', 'read')).deny('read', 'a/b/')
})

test('LIST tries a pattern without the slash when nothing matches with it', () => {
  acl(path('a/+', 'list')).allow('list', 'a/b/')
  acl(path('a/+', 'list')).allow('list', 'a/b')
  acl(path('a/+', 'list') + path('a/*', 'read')).deny('list', 'a/b')
})

test('LIST is refused by a deny below what the parent allows', () => {
  for (const child of ['a/x/*', 'a/x', 'a/x/', 'a/x*', 'a/+/']) {
    const { deny } = acl(path('a/*', 'list read') + path(child, 'deny'))
    for (const asked of ['a/x', 'a/x/']) deny('list', asked)
  }
  acl(path('a/x', 'list') + path('a/x/*', 'deny')).deny('list', 'a/x')
  acl(path('a/x', 'list') + path('a/+/*', 'deny')).deny('list', 'a/x/')
})

test('LIST is allowed by an exact rule inside a denied folder', () => {
  acl(path('a/*', 'deny') + path('a/x', 'list')).allow('list', 'a/x')
  acl(path('a/*', 'deny') + path('a/x', 'list')).deny('list', 'a/x/y')
})

// Merging.

test('the same pattern in several policies adds up', () => {
  const { allow, check } = acl(path('a', 'read'), path('/a', 'update read'), path('b', 'list'))
  allow('read', 'a')
  allow('update', 'a')
  deepEqual(check({ path: 'a', operation: 'read' }).grantingPolicies, ['p0', 'p1'])
  deepEqual(check({ path: 'a', operation: 'update' }).grantingPolicies, ['p1'])
  deepEqual(check({ path: 'a', operation: 'delete' }).grantingPolicies, [])
  acl(path('a', 'read') + path('a', 'update')).allow('update', 'a')
})

test('deny in any policy wins over the same pattern in all others', () => {
  for (const texts of [
    [path('a/*', 'read sudo'), path('a/*', 'deny')],
    [path('a/*', 'deny'), path('a/*', 'read')],
    [path('a/*', 'read') + path('a/*', 'deny')],
  ]) {
    const compiled = acl(...texts)
    compiled.deny('read', 'a/b')
    deepEqual(compiled.capabilities('a/b'), ['deny'])
    equal(compiled.check({ path: 'a/b', operation: 'read' }).sudo, false)
  }
})

test('what needs the approval of others stays closed', () => {
  acl(path('a', 'read', 'control_group {}'), path('a', 'read')).deny('read', 'a')
})

test('deny holds for every spelling of a path, allow for one', () => {
  const { allow, deny } = acl(
    path('s/*', 'read') +
      path('s/data/Größe', 'deny') +
      path('t/+/X/*', 'deny') +
      path('*', 'read'),
  )
  for (const spelling of ['größe', 'GRÖSSE', 'GrÖße', 'Gro\u0308ße', 'ＧＲößE']) {
    deny('read', `s/data/${spelling}`)
    deny('read', `S/DATA/${spelling}`)
  }
  allow('read', 's/data/grobe')
  acl(path('*', 'read') + path('s/A*', 'deny')).deny('read', 's/ᴬx')
  acl(path('*', 'read') + path('s/ΟΔΟΣ*', 'deny')).deny('read', 's/οδοσσ')
  for (const spelling of ['t/a/X/y', 't/a/x/y', 'T/a/x/']) deny('read', spelling)
  allow('read', 'T/a/z/')
  acl(path('a/b', 'read') + path('a/B', 'deny')).deny('read', 'a/b')
  acl(path('a/b*', 'read') + path('a/B*', 'deny')).deny('read', 'a/b')
  acl(path('a/bc*', 'read') + path('a/B*', 'deny')).allow('read', 'a/bcd')
})

// Templates, expiry, root.

test('a templated rule counts for the caller it resolves for', () => {
  const policy = parsePolicy(path('home/{{identity.entity.name}}/*', 'read') + path('a', 'read'))
  const as = (name: string | undefined) =>
    compileAcl([{ name: 'p', policy }], { resolve: () => name })
  const reads = (name: string | undefined, p: string) =>
    as(name).check({ path: p, operation: 'read' }).allowed
  ok(reads('ann', 'home/ann/x'))
  ok(!reads('ann', 'home/bob/x'))
  for (const widening of [undefined, '', '+', '*', 'a/b', 'ann/*']) {
    for (const p of ['home/ann/x', 'home/a/b/x', 'home//x', 'home/+/x']) ok(!reads(widening, p))
    ok(reads(widening, 'a'))
  }
  const without = compileAcl([{ name: 'p', policy }])
  ok(!without.check({ path: 'home/{{identity.entity.name}}/x', operation: 'read' }).allowed)
})

test('a rule counts until it expires, and the table says when that is', () => {
  const at = (time: string) => `expiration = "2030-01-0${time}T00:00:00Z"`
  const policy = parsePolicy(path('a', 'read', at('2')) + path('b', 'read', at('3')))
  const on = (day: string) => compileAcl([{ name: 'p', policy }], { now: new Date(day) })
  const reads = (day: string, p: string) => on(day).check({ path: p, operation: 'read' }).allowed
  ok(reads('2030-01-01T23:59:59Z', 'a'))
  ok(!reads('2030-01-02T00:00:00Z', 'a'))
  ok(reads('2030-01-02T00:00:00Z', 'b'))
  equal(on('2030-01-01').goodUntil, Date.parse('2030-01-02'))
  equal(on('2030-01-02').goodUntil, Date.parse('2030-01-03'))
  equal(on('2030-01-03').goodUntil, undefined)
})

test('root may do everything, and stands alone', () => {
  const policy = parsePolicy('')
  equal(compileAcl([{ name: 'root', policy }]), ROOT_ACL)
  const both = ['root', 'default'].map((name) => ({ name, policy }))
  throws(() => compileAcl(both), { message: 'other policies present along with root' })
  deepEqual(ROOT_ACL.check({ path: 'x', operation: 'delete' }), {
    allowed: true,
    sudo: true,
    grantingPolicies: ['root'],
  })
  deepEqual(ROOT_ACL.capabilities('x'), ['root'])
  deepEqual(ROOT_ACL.resultant(), { root: true, exact_paths: {}, glob_paths: {} })
  ok(ROOT_ACL.anyBelow('x/'))
})

// What is told.

test('capabilities() tells them in order', () => {
  const all = 'scan patch create delete update list read sudo'
  const { capabilities } = acl(path('a/*', all) + path('a/b', 'deny') + path('c', 'list'))
  deepEqual(capabilities('a/x'), all.split(' ').reverse())
  deepEqual(capabilities('a/b'), ['deny'])
  deepEqual(capabilities('none'), ['deny'])
  deepEqual(capabilities('c/'), ['list'])
})

test('resultant() tells every pattern', () => {
  const { resultant } = acl(path('a', 'read') + path('b/*', 'deny') + path('c/+/d*', 'list'))
  deepEqual(resultant(), {
    root: false,
    exact_paths: { a: { capabilities: ['read'] } },
    glob_paths: { 'b/': { capabilities: ['deny'] }, 'c/+/d*': { capabilities: ['list'] } },
  })
})

const below: [string, boolean][] = [
  ['other/x', false],
  ['secrets/*', false],
  ['secret/+/x", "deny', false],
  ['+/+/x", "deny', false],
  ['+', true],
  ['other/+/x', false],
  ['+/other', true],
  ['secret', true],
  ['secret/', true],
  ['secret/a/b', true],
  ['secret/a*', true],
  ['s*', true],
  ['*', true],
  ['+/*', true],
  ['secret/+/b', true],
  ['sec+/x', false],
]

for (const [pattern, expected] of below) {
  test(`anyBelow() says ${expected} to secret/ for '${pattern}'`, () => {
    const [name = '', denied] = pattern.split('", "')
    equal(acl(path(name, denied ?? 'read')).anyBelow('secret/'), expected)
  })
}

test('anyBelow() sees through a deny only where something more exact is granted', () => {
  equal(acl(path('*', 'read') + path('secret/*', 'deny')).anyBelow('secret/'), false)
  equal(acl(path('secret/a', 'read') + path('secret/*', 'deny')).anyBelow('secret/'), true)
  equal(acl('path "secret/a" {}').anyBelow('secret/'), false)
  equal(acl(path('team/a/kv/x', 'read')).anyBelow('team/a/kv/'), true)
  equal(acl(path('team/+/kv/+/x', 'read')).anyBelow('team/a/kv/'), true)
  equal(acl(path('team/+/k*', 'read')).anyBelow('team/a/kv/'), true)
  equal(acl(path('team/+/o*', 'read')).anyBelow('team/a/kv/'), false)
})

test('the default policy lets a token mind itself', () => {
  const compiled = compileAcl([{ name: 'default', policy: parsePolicy(DEFAULT_POLICY) }], {
    resolve: (expression) => (expression === 'identity.entity.id' ? 'e1' : undefined),
  })
  const ask = (operation: Operation, p: string) => compiled.check({ path: p, operation }).allowed
  ok(ask('read', 'auth/token/lookup-self'))
  ok(ask('list', 'cubbyhole/'))
  ok(ask('read', 'identity/entity/id/e1'))
  ok(ask('update', 'identity/oidc/provider/x/authorize'))
  ok(!ask('read', 'identity/entity/id/e2'))
  ok(!ask('read', 'identity/entity/name/'))
  ok(!ask('create', 'auth/token/create'))
  ok(!ask('read', 'secret/data/x'))
})

test('check() of exact numbers compares them as numbers', () => {
  const { allow, deny } = acl(path('a', 'update', 'denied_parameters { n = [1.5] }'))
  deny('update', 'a', { data: parseJson('{"n":1.50}') as Record<string, unknown> })
  allow('update', 'a', { data: parseJson('{"n":1.51}') as Record<string, unknown> })
})
