/** Tokens with chosen policies, made as core makes them: for tests of what they may and may not. */
import { type NewToken } from '../../src/core/tokens.ts'
import { type TestCore } from './test-core.ts'

/** Writes the policy `text` under `name`, as root. */
export async function putPolicy({ ask }: TestCore, name: string, text: string): Promise<void> {
  const { status, body } = await ask('write', `sys/policies/acl/${name}`, { policy: text })
  if (status !== 204) throw new Error(`policy ${name}: ${status} ${body?.errors?.join(', ')}`)
}

/** A service token of an hour, unless told otherwise. */
export async function tokenWith(
  { core, clock }: TestCore,
  policies: string[],
  more: Partial<NewToken> = {},
): Promise<{ id: string; accessor: string }> {
  const tx = await core.begin(false)
  if (!tx) throw new Error('sealed')
  const { id, entry } = core.tokens.create(tx, {
    policies,
    path: 'auth/token/create',
    meta: null,
    displayName: 'test',
    numUses: 0,
    createdAt: clock.now(),
    ttlSeconds: 3600,
    expiresAt: clock.now() + 3_600_000,
    explicitMaxTtlSeconds: 0,
    periodSeconds: 0,
    maxTtlSeconds: 0,
    renewable: true,
    orphan: true,
    type: 'service',
    entityId: '',
    boundCidrs: [],
    ...more,
  })
  await core.commit(tx)
  return { id, accessor: entry.accessor }
}

/** A token whose one policy is `text`. */
export async function tokenOf(test: TestCore, text: string): Promise<string> {
  const name = `p-${Math.random().toString(36).slice(2)}`
  await putPolicy(test, name, text)
  return (await tokenWith(test, [name])).id
}
