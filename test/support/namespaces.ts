/** A core with namespaces `a/`, `a/b/` and `c/`, and short ways to fill them. */
import { equal } from 'node:assert/strict'
import { type CoreOptions } from '../../src/core/core.ts'
import { type AskOptions, testCore, type TestCore } from './test-core.ts'

export type TokenAuth = { client_token: string; accessor: string; policies: string[] }

export type Tenants = TestCore & {
  /** The namespace's id, as its tokens end in it. */
  idOf: (path: string) => Promise<string>
  /** Of the body given, or of the policies; made by root unless another token is given. */
  token: (
    namespace: string,
    body: string[] | Record<string, unknown>,
    options?: AskOptions,
  ) => Promise<TokenAuth>
  policy: (namespace: string, name: string, text: string) => Promise<void>
  /** A token with all capabilities on all paths of a namespace. */
  admin: (namespace: string) => Promise<TokenAuth>
}

const ALL = '["create", "read", "update", "patch", "delete", "list", "sudo"]'
export const EVERYTHING = `path "*" { capabilities = ${ALL} }`

export async function tenants(options: Partial<CoreOptions> = {}): Promise<Tenants> {
  const core = await testCore(options)
  const { ask } = core
  for (const [namespace, name] of [
    ['', 'a'],
    ['a', 'b'],
    ['', 'c'],
  ] as const) {
    equal((await ask('write', `sys/namespaces/${name}`, {}, { namespace })).status, 200)
  }
  const token: Tenants['token'] = async (namespace, body, more = {}) => {
    const data = Array.isArray(body) ? { policies: body } : body
    const made = await ask('write', 'auth/token/create', data, { namespace, ...more })
    equal(made.status, 200, made.text)
    return made.body['auth'] as TokenAuth
  }
  const policy: Tenants['policy'] = async (namespace, name, text) => {
    const path = `sys/policies/acl/${name}`
    equal((await ask('write', path, { policy: text }, { namespace })).status, 204)
  }
  return {
    ...core,
    token,
    policy,
    async idOf(path) {
      return String((await ask('read', `sys/namespaces/${path}`)).body.data!['id'])
    },
    async admin(namespace) {
      await policy(namespace, 'admin', EVERYTHING)
      // The default policy's own rules for some paths would win over that for all.
      return token(namespace, { policies: ['admin'], no_default_policy: true })
    },
  }
}
