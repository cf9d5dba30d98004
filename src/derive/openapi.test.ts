import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { defineEngine, endpoint, t } from '../kit/kit.ts'
import approle from '../auth/approle/engine.ts'
import { cubbyhole } from '../secrets/cubbyhole/engine.ts'
import { kvV1 } from '../secrets/kv/v1.ts'
import { kvV2 } from '../secrets/kv/v2.ts'
import { sysEngine } from '../core/sys/sys.ts'
import { tokenEngine } from '../core/token/engine.ts'
import { testCore } from '../../test/support/test-core.ts'
import { openapi } from './openapi.ts'
import { ownEngines } from '../core/own-engines.ts'

type Operation = {
  operationId: string
  summary: string
  parameters?: { name: string; in: string }[]
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> }
}
type Item = { parameters?: { name: string }[] } & Record<string, Operation>
type Document = {
  paths: Record<string, Item>
  components: { schemas: Record<string, { properties: Record<string, object> }> }
}

const small = defineEngine({
  type: 'small',
  help: 'A small engine.',
  endpoints: [
    endpoint('role/:name', {
      help: 'A role.',
      fields: {
        name: t.name({ help: 'Its name.' }),
        ttl: t.duration({ help: 'How long.', default: 60 }),
        secret: t.string({ help: 'What to keep.', sensitive: true, required: 'missing secret' }),
        old: t.bool({ help: 'Not any more.', deprecated: true }),
      },
      exists: async () => false,
      read: () => ({}),
      write: () => ({}),
      delete: () => undefined,
    }),
    endpoint('role', { help: 'All roles.', fields: {}, list: () => ({ keys: [] }) }),
    endpoint('found', {
      help: 'A question.',
      access: 'public',
      fields: { limit: t.int({ help: 'How many.' }) },
      read: () => ({}),
    }),
    endpoint('any/:path*', { help: 'Anything.', fields: {}, anyBody: true, write: () => ({}) }),
    endpoint('root', { help: 'All of it.', access: 'sudo', fields: {}, delete: () => undefined }),
    endpoint('secret-way', { help: 'Not shown.', fields: {}, hidden: true, read: () => ({}) }),
  ],
})

const documentOf = (genericMountPaths = false) =>
  openapi([{ path: 'here/', engine: small }], {
    version: '1.2.3',
    genericMountPaths,
  }) as unknown as Document

test('openapi() leaves out what is hidden', () => {
  deepEqual(Object.keys(documentOf().paths), [
    '/here/any/{path}',
    '/here/found',
    '/here/role/',
    '/here/role/{name}',
    '/here/root',
  ])
})

test('openapi() tells fields, captures and access as Vault does', () => {
  const { paths, components } = documentOf()
  const role = paths['/here/role/{name}']! as Record<string, unknown>
  equal(role['x-vault-createSupported'], true)
  equal((paths['/here/root'] as Record<string, unknown>)['x-vault-sudo'], true)
  equal((paths['/here/found'] as Record<string, unknown>)['x-vault-unauthenticated'], true)
  deepEqual(role['parameters'], [
    {
      name: 'name',
      description: 'Its name.',
      in: 'path',
      required: true,
      schema: (role['parameters'] as { schema: object }[])[0]!.schema,
    },
  ])
  deepEqual(components.schemas['HereWriteRoleRequest'], {
    type: 'object',
    properties: {
      ttl: { type: 'string', format: 'duration', description: 'How long.', default: 60 },
      secret: {
        type: 'string',
        description: 'What to keep.',
        'x-vault-displayAttrs': { sensitive: true },
      },
      old: { type: 'boolean', description: 'Not any more.', deprecated: true },
    },
    required: ['secret'],
  } as never)
  const list = paths['/here/role/']!['get']!
  deepEqual([list.operationId, list.parameters![0]!.name], ['here-list-role', 'list'])
  deepEqual(
    paths['/here/found']!['get']!.parameters!.map(({ name }) => name),
    ['limit'],
  )
  equal(paths['/here/role/{name}']!['get']!.parameters, undefined)
})

test('openapi() writes each engine once when mounts are left open', () => {
  const twice = openapi(
    [
      { path: 'a/', engine: kvV2 },
      { path: 'b/', engine: kvV2 },
      { path: 'auth/x/', engine: approle },
      { path: 'cubbyhole/', engine: cubbyhole },
    ],
    { version: '1', genericMountPaths: true },
  ) as unknown as Document
  const paths = Object.keys(twice.paths)
  ok(paths.includes('/{kv_v2_mount_path}/data/{path}'))
  ok(paths.includes('/auth/{approle_mount_path}/login'))
  ok(paths.includes('/cubbyhole/{path}'))
  ok(!paths.some((path) => path.startsWith('/a/') || path.startsWith('/b/')))
})

test('openapi() of everything is consistent', async () => {
  const { core } = await testCore()
  const document = openapi(
    [
      { path: 'sys/', engine: sysEngine(core) },
      { path: 'auth/token/', engine: tokenEngine(core) },
      { path: 'cubbyhole/', engine: cubbyhole },
      { path: 'secret/', engine: kvV2 },
      { path: 'other/', engine: kvV2 },
      { path: 'kv1/', engine: kvV1 },
      { path: 'auth/approle/', engine: approle },
    ],
    { version: '1' },
  ) as unknown as Document
  const ids = new Set<string>()
  for (const [path, item] of Object.entries(document.paths)) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    deepEqual(
      (item.parameters ?? []).map(({ name }) => name),
      named,
      path,
    )
    for (const method of ['get', 'post', 'patch', 'delete']) {
      const operation = item[method]
      if (!operation) continue
      ok(!ids.has(operation.operationId), operation.operationId)
      ids.add(operation.operationId)
      ok(operation.summary.length > 0, path)
      for (const { schema } of Object.values(operation.requestBody?.content ?? {})) {
        const ref = schema.$ref?.replace('#/components/schemas/', '')
        ok(ref === undefined || document.components.schemas[ref], path)
      }
    }
  }
  ok(ids.has('system-write-seal') && ids.has('auth-approle-login'))
})

test('sys/internal/specs/openapi shows the mounts its caller can use', async () => {
  const { ask } = await testCore({
    ownEngines: (self) => ownEngines(self, { openapi }),
  })
  const pathsFor = async (token: string | undefined, data = {}) => {
    const { status, body } = await ask('read', 'sys/internal/specs/openapi', data, { token })
    equal(status, 200)
    return Object.keys(body['paths'] as object)
  }
  deepEqual(await pathsFor(undefined), [])
  await ask('write', 'sys/policies/acl/one', {
    policy: 'path "secret/data/x" { capabilities = ["read"] }',
  })
  const made = await ask('write', 'auth/token/create', {
    policies: ['one'],
    no_default_policy: true,
  })
  const { client_token: token } = made.body['auth'] as { client_token: string }
  const one = await pathsFor(token)
  ok(one.length > 0 && one.every((path) => path.startsWith('/secret/')))
  const bad = await ask('read', 'sys/internal/specs/openapi', {}, { token: 'hvs.x' })
  equal(bad.status, 403)
  const posted = await ask('write', 'sys/internal/specs/openapi', { generic_mount_paths: true })
  ok('/{kv_v2_mount_path}/data/{path}' in (posted.body['paths'] as object))
  const without = await (await testCore()).ask('read', 'sys/internal/specs/openapi')
  equal(without.status, 404)
})
