/**
 * `create`, `create-orphan`, `create/:role_name`: a token makes a token. The new one is stored in
 * the transaction of the request, so a request that fails leaves none behind.
 */
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { type Reply, reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { identityPoliciesOf } from '../grants.ts'
import { entityOfLogin } from '../identity/login.ts'
import { authBlock, lifetime } from '../issue.ts'
import { homeOf, ROOT } from '../namespaces.ts'
import { getPolicy } from '../policy-store.ts'
import { type NewToken, type TokenEntry } from '../tokens.ts'
import { scopeOf, turnOf, txOf } from '../turn.ts'
import {
  askedPolicies,
  checkCustomId,
  createFields,
  type CreateCall,
  displayNameOf,
  typeOf,
} from './create-fields.ts'
import { policiesOfChild } from './policies-of-child.ts'
import { matchesGlob } from './policy-names.ts'
import { lesser } from './renewal.ts'
import { type Role, roles } from './role.ts'
import { hasSudo, ownToken } from './subject.ts'

const example = { policies: ['web'], ttl: '1h', display_name: 'deploy' }

export function createEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('create', {
      help: 'A new token, child of the one that asks.',
      fields: createFields,
      write: (call) => create(core, call, { orphan: false, role: undefined }),
      example,
    }),
    endpoint('create-orphan', {
      help: 'A new token without a parent.',
      fields: createFields,
      write: (call) => create(core, call, { orphan: true, role: undefined }),
      example,
    }),
    endpoint('create/:role_name', {
      help: 'A new token as a role says.',
      fields: { role_name: t.name({ help: 'Name of the role.' }), ...createFields },
      async write(call) {
        const name = call.data.role_name
        const role = (await roles.get(call.store, name)) ?? refuse(`unknown role ${name}`)
        return create(core, call, { orphan: role.orphan, role })
      },
    }),
  ]
}

type How = { orphan: boolean; role: Role | undefined }

async function create(core: Core, call: CreateCall, { orphan, role }: How): Promise<Reply> {
  const { data } = call
  const turn = turnOf(call as never)
  const tx = txOf(call as never)
  const parent = ownToken(call).entry
  if (parent.type === 'batch') refuse('batch tokens cannot create more tokens')
  // Else a token could outlive its uses in its children. Below zero is a token in its last use.
  if (parent.numUses !== 0) refuse('restricted use token cannot generate child tokens')
  const sudo = hasSudo(call)
  const type = typeOf(call, role)
  if (data.num_uses < 0) refuse('number of uses cannot be negative')
  checkEntityAlias(data.entity_alias, role)
  if (data.id && !sudo) refuse('root or sudo privileges required to specify token id')

  const elsewhere = turn.ns.uuid !== turn.tokenNs.uuid
  if (elsewhere && !sudo) {
    refuse('root or sudo privileges required to directly generate a token in a child namespace')
  }

  const policies = policiesOfChild({
    elsewhere,
    child: turn.ns !== ROOT,
    asked: askedPolicies(call),
    noDefaultPolicy: data.no_default_policy,
    parent: parent.policies,
    role,
    sudo,
    batch: type === 'batch',
  })
  if (!role && data.no_parent && !sudo) {
    refuse('root or sudo privileges required to create orphan token')
  }
  if (data.period > 0 && !sudo) {
    refuse('root or sudo privileges required to create periodic token')
  }
  const times = timesOf(call, { role, parent, type, root: policies.includes('root') })
  if (data.id) {
    checkCustomId(data.id)
    if (await core.tokens.taken(tx, data.id, turn.ns))
      refuse('cannot create a token with a duplicate ID')
    call.warn(
      'Supplying a custom ID for the token: it is as hard to guess as the ID, and no harder ' +
        '(Vault says here that it uses SHA1 for such tokens; this server uses HMAC-SHA-256 for all)',
    )
  }
  const child = !orphan && (role !== undefined || !data.no_parent)
  const fresh: NewToken = {
    ...times,
    ...(data.id && { id: data.id }),
    policies,
    path: turn.path + (role?.path_suffix ? `/${role.path_suffix}` : ''),
    meta: data.meta && call.body['meta'] !== null ? { ...data.meta } : null,
    displayName: displayNameOf(call),
    numUses: lesser(data.num_uses, role?.token_num_uses ?? 0),
    createdAt: call.now,
    orphan: !child,
    ...(child && { parent: parent.uid }),
    type,
    ...(await entityOf(core, call, { parent, child })),
    boundCidrs: role ? [...role.token_bound_cidrs] : child ? [...parent.boundCidrs] : [],
    ...(role && { role: role.name }),
  }
  const { id, entry } = core.tokens.create(tx, fresh, turn.ns)
  if (type === 'service') turn.made.tokens.push(entry)
  for (const name of policies) {
    if (name !== 'root' && !(await getPolicy(scopeOf(call as never), name))) {
      call.warn(`Policy "${name}" does not exist`)
    }
  }
  const identityPolicies = await identityPoliciesOf(tx, entry)
  return reply({ auth: authBlock(id, entry, { seconds: entry.ttlSeconds, identityPolicies }) })
}

/** The entity the role lets the caller name, or else a child's: the parent's. */
async function entityOf(
  core: Core,
  call: CreateCall,
  { parent, child }: { parent: TokenEntry; child: boolean },
): Promise<Pick<NewToken, 'entityId' | 'entityHome'>> {
  const { entity_alias: alias } = call.data
  const { ns, tokenNs } = turnOf(call as never)
  if (alias) {
    const standing = await entityOfLogin(scopeOf(call as never), {
      grant: { alias, metadata: {} },
      mount: { accessor: call.mount.accessor, local: false },
      random: core.random,
      now: call.now,
    })
    return { entityId: standing?.entity.id ?? '' }
  }
  if (!child || parent.entityId === '') return { entityId: '' }
  const entityHome = ns === tokenNs ? parent.entityHome : (homeOf(tokenNs).namespace ?? 'root')
  return { entityId: parent.entityId, ...(entityHome && { entityHome }) }
}

function checkEntityAlias(alias: string | undefined, role: Role | undefined): void {
  if (!alias) return
  if (!role) refuse("'entity_alias' is only allowed in combination with token role")
  const allowed = role.allowed_entity_aliases ?? []
  if (!allowed.some((glob) => matchesGlob(glob, alias.toLowerCase()))) {
    refuse("invalid 'entity_alias' value")
  }
}

type Maker = { role: Role | undefined; parent: TokenEntry; type: TokenEntry['type']; root: boolean }
type Times = Pick<
  NewToken,
  | 'ttlSeconds'
  | 'expiresAt'
  | 'explicitMaxTtlSeconds'
  | 'askedMaxTtlSeconds'
  | 'periodSeconds'
  | 'maxTtlSeconds'
  | 'renewable'
>

/** How long it lives now and may ever live. Only a root token may live for ever. */
function timesOf(call: CreateCall, { role, parent, type, root }: Maker): Times {
  const { data, mount, now } = call
  const batch = type === 'batch'
  // A batch token has no period and cannot be renewed, so a role's maximum only cuts it short.
  const explicitMax = lesser(data.explicit_max_ttl, role?.token_explicit_max_ttl ?? 0)
  const period = batch ? 0 : lesser(data.period, role?.token_period ?? 0)
  if (!batch) warnOfLesser(call, role, { explicitMax, period })
  const ttlSeconds = data.ttl ?? data.lease ?? 0
  const forEver = root && period === 0 && ttlSeconds === 0
  const { seconds, warnings } = forEver
    ? { seconds: explicitMax, warnings: [] }
    : lifetime(
        {
          ttlSeconds,
          maxTtlSeconds: 0,
          explicitMaxTtlSeconds: explicitMax,
          periodSeconds: period,
          mountDefaultSeconds: mount.defaultTtlSeconds,
          mountMaxSeconds: mount.maxTtlSeconds,
        },
        { issuedAt: now, now },
      )
  for (const warning of warnings) call.warn(warning)
  if (seconds === 0) {
    if (!root) refuse('a token must live for at least a second')
    if (parent.expiresAt !== 0) {
      refuse('expiring root tokens cannot create non-expiring root tokens')
    }
  }
  return {
    ttlSeconds: seconds,
    expiresAt: seconds === 0 ? 0 : now + seconds * 1000,
    explicitMaxTtlSeconds: batch ? 0 : explicitMax,
    ...(role && data.explicit_max_ttl > 0 && { askedMaxTtlSeconds: data.explicit_max_ttl }),
    periodSeconds: period,
    maxTtlSeconds: 0,
    renewable: !batch && seconds > 0 && data.renewable && (role?.renewable ?? true),
  }
}

function warnOfLesser(
  call: CreateCall,
  role: Role | undefined,
  used: { explicitMax: number; period: number },
): void {
  const { data } = call
  const both = (what: string, seconds: number) =>
    call.warn(
      `${what} specified both during creation call and in role; ` +
        `using the lesser value of ${seconds} seconds`,
    )
  if (data.explicit_max_ttl && role?.token_explicit_max_ttl) {
    both('Explicit max TTL', used.explicitMax)
  }
  if (data.period && role?.token_period) both('Period', used.period)
}
