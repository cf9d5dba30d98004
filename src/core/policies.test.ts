import { deepEqual, equal, notEqual, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandTemplate } from './policies-template.ts'
import {
  decodePolicyText,
  DEFAULT_POLICY,
  parsePolicy,
  PolicyError,
  policyName,
  RESPONSE_WRAPPING_POLICY,
} from './policies.ts'

const inPath = (body: string) => `path "p" { ${body} }`
const rule = (body: string) => parsePolicy(inPath(body)).rules[0]
const capabilities = (body: string) => [...(rule(body)?.capabilities ?? [])]

const refused: [string, string][] = [
  ['path "p" {', "line 1: expected '}' before the end of the text"],
  ['role "x" {}', 'invalid key "role" on line 1'],
  ['\nttl = 1', 'invalid key "ttl" on line 2'],
  ['{"path": {},\n "x": 1}', 'invalid key "x" on line 2'],
  ['name = 1', 'name must be a string on line 1'],
  ['path {}', 'expected path "pattern" { … } on line 1'],
  ['path "a" "b" {}', 'expected path "pattern" { … } on line 1'],
  ['path = "a"', 'expected path "pattern" { … } on line 1'],
  ['{"path": "a"}', 'line 1: expected an object, or a list of them'],
  ['path "p" {\n\n capability = [] }', 'path "p": invalid key "capability" on line 3'],
  ['path "p" {\n constructor = [] }', 'path "p": invalid key "constructor" on line 2'],
  [inPath('capabilities "x" {}'), 'path "p": invalid key "capabilities" on line 1'],
  [
    inPath('capabilities = ["read"] capabilities = []'),
    'path "p": key "capabilities" is given again on line 1',
  ],
  [inPath('capabilities = "read"'), 'path "p": capabilities must be a list of strings'],
  [inPath('capabilities = [1]'), 'path "p": capabilities must be a list of strings'],
  [inPath('capabilities = ["reed"]'), 'path "p": invalid capability "reed"'],
  [inPath('capabilities = ["Read"]'), 'path "p": invalid capability "Read"'],
  [inPath('capabilities = ["deny", "x"]'), 'path "p": invalid capability "x"'],
  [inPath('policy = "root"'), 'path "p": invalid policy "root"'],
  [inPath('policy = 1'), 'path "p": invalid policy'],
  ['path "a/+*" {}', `path "a/+*": invalid use of wildcards ('+*' is forbidden)`],
  ['path "{{x}}" {}', 'path "{{x}}": unknown or unclosed template on line 1'],
  [inPath('allowed_parameters = []'), 'path "p": allowed_parameters must be an object of lists'],
  [inPath('denied_parameters { a = 1 }'), 'path "p": denied_parameters must be an object of lists'],
  [
    inPath('denied_parameters = { a = [] A = [] }'),
    'path "p": denied_parameters names a parameter again on line 1',
  ],
  [inPath('required_parameters = "a"'), 'path "p": required_parameters must be a list of strings'],
  [
    inPath('min_wrapping_ttl = "x"'),
    'path "p": min_wrapping_ttl must be a duration that is not negative',
  ],
  [
    inPath('max_wrapping_ttl = -1'),
    'path "p": max_wrapping_ttl must be a duration that is not negative',
  ],
  [
    inPath('min_wrapping_ttl = "1h" max_wrapping_ttl = "30m"'),
    'max_wrapping_ttl cannot be less than min_wrapping_ttl',
  ],
  [inPath('expiration = "tomorrow"'), 'path "p": expiration must be a time as in RFC 3339'],
  [
    inPath('expiration = "2030-13-01T00:00:00Z"'),
    'path "p": expiration must be a time as in RFC 3339',
  ],
  [
    inPath('pagination_limit = -1'),
    'path "p": pagination_limit must be a whole number that is not negative',
  ],
  [inPath('comment = 1'), 'path "p": comment must be a string'],
  [inPath('control_group = 1'), 'path "p": control_group must be a block'],
  [inPath('mfa_methods = 1'), 'path "p": mfa_methods must be a list of strings'],
  [
    inPath('list_scan_response_keys_filter_path = "{{ .key | title }}"'),
    'path "p": list_scan_response_keys_filter_path may hold {{ .key }}, {{ .path }} and replace',
  ],
]

for (const [text, problem] of refused) {
  test(`parsePolicy() refuses ${JSON.stringify(text)}`, () => {
    throws(() => parsePolicy(text), {
      name: 'PolicyError',
      message: `failed to parse policy: ${problem}`,
    })
  })
}

test('parsePolicy() throws nothing but PolicyError', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        parsePolicy(text)
      } catch (error) {
        ok(error instanceof PolicyError)
      }
    }),
  )
})

const hcl = `
  name = "dev"
  path "/secret/data/*" {
    capabilities = ["create", "read", "create"]
    allowed_parameters = { "Foo" = [] "bar" = ["a*", 1, true, [1], { x = 1 }] }
    denied_parameters { "*" = [] }
    required_parameters = ["Foo"]
    min_wrapping_ttl = 60
    max_wrapping_ttl = "2h"
    mfa_methods = ["m"]
    control_group { factor "x" {} }
    expiration = "2030-01-01T00:00:00+01:00"
    pagination_limit = 100
    comment = "why"
    subscribe_event_types = ["*"]
  }`
const json = JSON.stringify({
  name: 'dev',
  path: {
    '/secret/data/*': {
      capabilities: ['create', 'read', 'create'],
      allowed_parameters: { Foo: [], bar: ['a*', 1, true, [1], { x: 1 }] },
      denied_parameters: { '*': [] },
      required_parameters: ['Foo'],
      min_wrapping_ttl: 60,
      max_wrapping_ttl: '2h',
      mfa_methods: ['m'],
      control_group: {},
      expiration: '2029-12-31T23:00:00Z',
      pagination_limit: 100,
      comment: 'why',
      subscribe_event_types: ['*'],
    },
  },
})
const whole = {
  rules: [
    {
      path: 'secret/data/*',
      capabilities: new Set(['create', 'read']),
      allowedParameters: new Map<string, unknown>([
        ['foo', []],
        ['bar', ['a*', 1, true, [1], { x: 1 }]],
      ]),
      deniedParameters: new Map([['*', []]]),
      requiredParameters: ['foo'],
      minWrappingTtlSeconds: 60,
      maxWrappingTtlSeconds: 7200,
      mfaMethods: ['m'],
      controlGroup: true,
      expiration: new Date('2029-12-31T23:00:00Z'),
      paginationLimit: 100,
      comment: 'why',
      templated: false,
    },
  ],
}

test('parsePolicy() reads every key, from HCL, JSON and base64 of both', () => {
  deepEqual(parsePolicy(hcl), whole)
  deepEqual(parsePolicy(json), whole)
  for (const text of [hcl, json]) {
    const packed = Buffer.from(text).toString('base64')
    equal(decodePolicyText(packed), text)
    deepEqual(parsePolicy(packed.replaceAll(/.{76}/g, '$&\n')), whole)
  }
})

test('decodePolicyText() leaves text alone that only looks like base64', () => {
  for (const text of ['////', 'path "a" {}', 'abc', 'YWJjZA', '==='])
    equal(decodePolicyText(text), text)
})

test('parsePolicy() keeps every block of a repeated path', () => {
  const text = 'path "a" { policy = "read" } path "a" { policy = "deny" }'
  deepEqual(
    parsePolicy(text).rules.map((each) => [...each.capabilities]),
    [['read', 'list'], ['deny']],
  )
  const repeated = '{"path":{"a":{"policy":"read"},"a":{"policy":"deny"}}}'
  deepEqual(parsePolicy(repeated), parsePolicy(text))
})

test('parsePolicy() reads the legacy policy words', () => {
  const write = ['create', 'read', 'update', 'delete', 'list']
  deepEqual(capabilities('policy = "deny"'), ['deny'])
  deepEqual(capabilities('policy = "read"'), ['read', 'list'])
  deepEqual(capabilities('policy = "write"'), write)
  deepEqual(capabilities('policy = "sudo"'), [...write, 'sudo'])
  deepEqual(capabilities('policy = ""'), [])
  deepEqual(capabilities(''), [])
  deepEqual(capabilities('policy = "read" capabilities = ["patch"]'), ['patch', 'read', 'list'])
})

test('parsePolicy() makes a block with deny a block of deny only', () => {
  deepEqual(capabilities('capabilities = ["read", "deny", "sudo"]'), ['deny'])
  deepEqual(capabilities('policy = "deny" capabilities = ["read"]'), ['deny'])
  deepEqual(capabilities('policy = "write" capabilities = ["deny"]'), ['deny'])
})

test('parsePolicy() strips one leading slash and no more', () => {
  const paths = parsePolicy('path "/a" {} path "//b" {} path "c" {} path "" {}').rules
  deepEqual(
    paths.map((each) => each.path),
    ['a', '/b', 'c', ''],
  )
})

const templates = [
  ...['entity.id', 'entity.name', 'entity.metadata.team', 'entity.metadata.a.b'],
  ...['entity.aliases.acc_1.id', 'entity.aliases.acc_1.name', 'entity.aliases.acc_1.metadata.k'],
  ...['entity.aliases.acc_1.custom_metadata.k', 'groups.ids.g-1.name', 'groups.ids.g-1.metadata.k'],
  ...['groups.names.ops.id', 'groups.names.ops.metadata.k'],
]

test('parsePolicy() knows every template and keeps its text', () => {
  for (const name of templates) {
    const path = `a/{{ identity.${name} }}/*`
    const [only] = parsePolicy(`path "${path}" {}`).rules
    equal(only?.path, path)
    equal(only?.templated, true)
  }
})

test('parsePolicy() refuses templates that do not exist or do not close', () => {
  const wrong = [
    ...[
      '{{}}',
      '{{identity.entity}}',
      '{{identity.entity.metadata.}}',
      '{{identity.groups.ids.g.id}}',
    ],
    ...['{{identity.groups.names.n.name}}', '{{identity.entity.aliases.a.b.id}}', '{{time.now}}'],
    ...['{{identity.entity.id', 'identity.entity.id}}', '{{{identity.entity.id}}}', '}}{{'],
    ...['{{Identity.entity.id}}', '{{identity.entity.id}}}}', '{{{{identity.entity.id}}}}'],
  ]
  for (const path of wrong) throws(() => parsePolicy(`path "${path}" {}`), /template on line 1/)
})

test('expandTemplate() drops a path whose value is absent or would widen it', () => {
  const path = 'home/{{identity.entity.name}}/*'
  for (const value of [undefined, '', 'a/b', '*', 'a*', '+', 'a\nb', '\0']) {
    equal(
      expandTemplate(path, () => value),
      undefined,
    )
  }
})

test('expandTemplate() asks for each expression once, and never looks into values', () => {
  const asked: string[] = []
  const path = 'a/{{identity.entity.id}}-{{ identity.entity.name }}'
  const expanded = expandTemplate(path, (expression) => {
    asked.push(expression)
    return '{{identity.entity.metadata.x}}'
  })
  deepEqual(asked, ['identity.entity.id', 'identity.entity.name'])
  equal(expanded, 'a/{{identity.entity.metadata.x}}-{{identity.entity.metadata.x}}')
})

test('policyName() refuses what cannot be seen, or walks up', () => {
  const wrong = [
    ...[
      '',
      ' ',
      '\n',
      'a\0b',
      'a\nb',
      'a\x7fb',
      'root\u200b',
      '\ufeffroot',
      'r\u00adoot',
      'ro\u034fot',
    ],
    ...[
      'root\u00a0',
      'a\u2028b',
      '\u202eroot',
      'ｒｏｏｔ',
      'ro\u2060ot',
      'a\u3164b',
      'roo\u017f',
      '\u212a',
      'J\u030c',
      '\ud800',
    ],
    ...['..', '../root', 'a/../root', '../../root', 'a/./b', '..\\root', 'a\\..', 'x'.repeat(513)],
  ]
  for (const name of wrong) throws(() => policyName(name), PolicyError, JSON.stringify(name))
})

test('policyName() gives one name to all its spellings', () => {
  for (const name of ['root', 'Root', 'ROOT', ' root', 'rOOt \r\n', '\troot']) {
    equal(policyName(name), 'root')
  }
  equal(policyName('Team A/Read-Only.v2'), 'team a/read-only.v2')
  equal(policyName('Größe'), 'größe')
})

test('policyName() leaves look-alikes of root inert', () => {
  for (const name of ['r%6fot', 'rооt', 'root.', 'r00t', 'ʀoot']) notEqual(policyName(name), 'root')
})

test('policyName() is its own canonical form, or refuses', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (input) => {
      let name: string
      try {
        name = policyName(input)
      } catch (error) {
        ok(error instanceof PolicyError)
        return
      }
      equal(policyName(name), name)
      equal(policyName(` ${name}\n`), name)
      if (name === 'root') equal(input.trim().toLowerCase(), 'root')
    }),
    { numRuns: 2000 },
  )
})

test('the built-in policies parse, and grant what the API promises', () => {
  const grants = (text: string) =>
    parsePolicy(text).rules.map((each) => `${each.path}: ${[...each.capabilities].join(' ')}`)
  deepEqual(grants(RESPONSE_WRAPPING_POLICY), [
    'cubbyhole/response: create read',
    'sys/wrapping/unwrap: update',
  ])
  deepEqual(grants(DEFAULT_POLICY).toSorted(), [
    'auth/token/lookup-self: read',
    'auth/token/renew-self: update',
    'auth/token/revoke-self: update',
    'cubbyhole/*: create read update delete list',
    'identity/entity/id/{{identity.entity.id}}: read',
    'identity/entity/name/{{identity.entity.name}}: read',
    'identity/oidc/provider/+/authorize: read update',
    'sys/capabilities-self: update',
    'sys/coffer/ack: update',
    'sys/coffer/watch: read',
    'sys/control-group/request: update',
    'sys/internal/ui/resultant-acl: read',
    'sys/leases/lookup: update',
    'sys/leases/renew: update',
    'sys/renew: update',
    'sys/tools/hash/*: update',
    'sys/tools/hash: update',
    'sys/wrapping/lookup: update',
    'sys/wrapping/unwrap: update',
    'sys/wrapping/wrap: update',
  ])
})
