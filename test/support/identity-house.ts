/**
 * A core in which people log in: AppRole roles on one or two mounts, each role somebody, and a mount
 * (`folk`) whose login says of itself whatever the test wants, as a directory or an issuer would.
 */
import { equal } from 'node:assert/strict'
import { defineEngine, endpoint, login, t, TOKEN_SETTINGS, tokenParams } from '../../src/kit/kit.ts'
import { type CoreOptions } from '../../src/core/core.ts'
import { ENGINES } from '../../src/server/builtin.ts'
import { type Answered, testCore, type TestCore } from './test-core.ts'

/** A fake login: it believes everything. */
const folk = defineEngine({
  type: 'folk',
  class: 'auth',
  help: 'Believes everything.',
  renewLogin: () => Promise.resolve(tokenParams(TOKEN_SETTINGS)),
  endpoints: [
    endpoint('login', {
      help: 'Logs in.',
      access: 'login',
      fields: {
        alias: t.string({ help: 'Alias.', default: '' }),
        metadata: t.pairs({ help: 'Metadata of the alias.', default: {} }),
        groups: t.list({ help: 'Groups.', default: [] }),
        policies: t.list({ help: 'Policies.', default: [] }),
        type: t.oneOf(['service', 'batch'], { help: 'Type.', default: 'service' }),
      },
      write: ({ data }) =>
        login({
          alias: data.alias,
          aliasMetadata: { ...data.metadata },
          groups: data.groups,
          displayName: data.alias,
          metadata: {},
          token: tokenParams({
            ...TOKEN_SETTINGS,
            token_policies: data.policies,
            token_type: data.type,
          }),
        }),
    }),
  ],
})

export type LoggedIn = { token: string; entityId: string; auth: Record<string, unknown> }

type Data = Record<string, unknown>

export type IdentityHouse = TestCore & {
  /** Asks as root and insists on success. */
  must: (verb: 'read' | 'list' | 'write' | 'delete', path: string, data?: Data) => Promise<Data>
  accessorOf: (mount: string) => Promise<string>
  logIn: (who: Data, mount?: string) => Promise<LoggedIn>
  tryLogIn: (who: Data, mount?: string) => Promise<Answered>
  /** A policy that lets one path be read, or what else is said. */
  allow: (policy: string, path: string, ...capabilities: string[]) => Promise<void>
  mayRead: (token: string, path: string) => Promise<boolean>
}

export async function identityHouse(options: Partial<CoreOptions> = {}): Promise<IdentityHouse> {
  const test = await testCore({ engines: [...ENGINES, folk], ...options })
  const { ask } = test
  const house: IdentityHouse = {
    ...test,
    async must(verb, path, data) {
      const { status, body } = await ask(verb, path, data)
      if (status !== 200 && status !== 204) throw new Error(`${path}: ${JSON.stringify(body)}`)
      return body?.data ?? {}
    },
    async accessorOf(mount) {
      const data = await house.must('read', 'sys/auth')
      return (data[`${mount}/`] as { accessor: string }).accessor
    },
    tryLogIn: (who, mount = 'folk') =>
      ask('write', `auth/${mount}/login`, who, { token: undefined }),
    async logIn(who, mount) {
      const { status, body } = await house.tryLogIn(who, mount)
      equal(status, 200, JSON.stringify(body))
      const auth = body['auth'] as Record<string, unknown>
      return { token: String(auth['client_token']), entityId: String(auth['entity_id']), auth }
    },
    async allow(policy, path, ...capabilities) {
      const list = JSON.stringify(capabilities.length > 0 ? capabilities : ['read'])
      const text = `path "${path}" { capabilities = ${list} }`
      await house.must('write', `sys/policies/acl/${policy}`, { policy: text })
    },
    mayRead: async (token, path) => (await ask('read', path, {}, { token })).status !== 403,
  }
  await house.must('write', 'sys/auth/folk', { type: 'folk' })
  return house
}
