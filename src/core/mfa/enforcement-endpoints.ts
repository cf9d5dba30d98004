/** The endpoints of login enforcements. */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { uuid } from '../../lib/random.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { entityOfToken } from '../identity/entities.ts'
import { groupById } from '../identity/groups.ts'
import { scopeOf, turnOf } from '../turn.ts'
import { type Enforcement, enforcements, saveEnforcements } from './enforcement.ts'
import { methodById } from './method.ts'

const NAME = t.name({ help: 'Name of the enforcement.' })
const ENFORCEMENTS_MAX = 200

const FIELDS = {
  mfa_method_ids: t.list({ help: 'Ids of methods, of which one must be satisfied.', clear: true }),
  auth_method_accessors: t.list({ help: 'Accessors of auth mounts.', clear: true }),
  auth_method_types: t.list({ help: 'Types of auth mounts.', clear: true }),
  identity_group_ids: t.list({ help: 'Ids of groups; members of their members count.' }),
  identity_entity_ids: t.list({ help: 'Ids of entities.' }),
}

export function enforcementEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('mfa/login-enforcement', {
      help: 'Names of the login enforcements.',
      fields: {},
      async list(call) {
        const all = await enforcements(scopeOf(call as never))
        const info = all.map((one) => [one.name, shown(one, call)])
        return all.length === 0
          ? undefined
          : { keys: all.map(({ name }) => name), key_info: Object.fromEntries(info) }
      },
    }),
    endpoint('mfa/login-enforcement/:name', {
      help: 'Whose logins need a second factor.',
      fields: { name: NAME, ...FIELDS },
      async read(call) {
        const found = await named(scopeOf(call as never), call.data.name)
        return found && shown(found, call)
      },
      write: (call) => write(call, core),
      async delete(call) {
        const scope = scopeOf(call as never)
        const all = await enforcements(scope)
        saveEnforcements(
          scope,
          all.filter(({ name }) => name !== call.data.name),
        )
        return undefined
      },
      example: { mfa_method_ids: ['method id'], auth_method_types: ['userpass'] },
    }),
  ]
}

const named = async (scope: Scope, wanted: string) =>
  (await enforcements(scope)).find(({ name }) => name === wanted)

const shown = (enforcement: Enforcement, call: Call<unknown>) => {
  const { id, path } = turnOf(call as never).ns
  return { ...enforcement, namespace_id: id, namespace_path: path }
}

type Change = { [K in keyof typeof FIELDS]: string[] | undefined }

async function write(call: Call<Change & { name: string }>, core: Core): Promise<undefined> {
  const scope = scopeOf(call as never)
  const { data } = call
  const before = await named(scope, data.name)
  const list = (field: keyof Change) => [...new Set(data[field] ?? before?.[field])]
  const next: Enforcement = {
    id: before?.id ?? uuid(call.random),
    name: data.name,
    mfa_method_ids: list('mfa_method_ids'),
    auth_method_accessors: list('auth_method_accessors'),
    auth_method_types: list('auth_method_types'),
    identity_group_ids: list('identity_group_ids'),
    identity_entity_ids: list('identity_entity_ids'),
  }
  await check(scope, core, next)
  const others = (await enforcements(scope)).filter(({ name }) => name !== data.name)
  if (others.length >= ENFORCEMENTS_MAX) refuse(`there can be ${ENFORCEMENTS_MAX} enforcements`)
  saveEnforcements(scope, [...others, next])
  return undefined
}

/** A name that stands for nothing would look like a rule and be none. */
async function check(scope: Scope, core: Core, next: Enforcement): Promise<void> {
  if (next.mfa_method_ids.length === 0) refuse('missing method ids')
  for (const id of next.mfa_method_ids) {
    if (!(await methodById(scope, id)))
      refuse(`one of the provided method ids doesn't exist: "${id}"`)
  }
  const { auth_method_accessors: accessors, auth_method_types: types } = next
  const { identity_group_ids: groups, identity_entity_ids: entities } = next
  if ([accessors, types, groups, entities].every((items) => items.length === 0)) {
    refuse(
      'One of auth_method_accessors, auth_method_types, identity_group_ids, identity_entity_ids' +
        ' must be specified',
    )
  }
  const mounts = (await core.mounts.table(scope)).mounts.filter((one) => one.class === 'auth')
  for (const accessor of accessors) {
    if (mounts.some((mount) => mount.accessor === accessor && mount.type !== 'token')) continue
    refuse(`one of the auth method accessors provided is invalid: "${accessor}"`)
  }
  for (const type of types) {
    if (core.engines.some((engine) => engine.class === 'auth' && engine.type === type)) continue
    refuse(`one of the auth method types provided is invalid: "${type}"`)
  }
  for (const id of groups) {
    if (!(await groupById(scope, id)))
      refuse(`one of the provided group ids doesn't exist: "${id}"`)
  }
  for (const id of entities) {
    if (await entityOfToken(scope, id)) continue
    refuse(`one of the provided entity ids doesn't exist: "${id}"`)
  }
}
