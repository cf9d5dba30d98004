/**
 * A login that needs a second factor, from the proof of the first one on. With X-Vault-MFA it is
 * checked at once; without, what the login has proven waits for `sys/mfa/validate`:
 *
 *   mfa-request/<id>    {grant, …}, over after five minutes; holds no token, and makes one once
 */
import { type Scope, type Tx } from '../../barrier/space.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type LoginGrant } from '../../kit/reply.ts'
import { uuid } from '../../lib/random.ts'
import { type Core } from '../core.ts'
import { isId } from '../identity/name-index.ts'
import { type Standing } from '../identity/standing.ts'
import { type Mount } from '../mounts.ts'
import { type PassingEntry, putPassing } from '../passing.ts'
import { type Turn } from '../turn.ts'
import { type Credentials, credentialsOfHeaders } from './credentials.ts'
import { type Enforcement, enforcementsFor } from './enforcement.ts'
import { type Method, methodById, usesPasscode } from './method.ts'
import { type Refused, saveSecret, type Tried, tryCode } from './secret.ts'

const WAIT_MS = 300_000
export const MFA_WARNING =
  'A login request was issued that is subject to MFA validation. Please make sure to validate the' +
  ' login by sending another request to sys/mfa/validate endpoint.'

export type MfaRequest = PassingEntry & {
  grant: LoginGrant
  entityId: string
  mountAccessor: string
  mountUuid: string
  namespaceId: string
  /** Of the login. */
  requestPath: string
}

const pathOf = (id: string) => `mfa-request/${id}`

/**
 * Undefined = nothing is missing, and the token may be made. Else the `auth` block that says what is
 * missing. Throws 403 when a second factor was brought that is not good.
 */
export async function askForSecondFactor(
  turn: Turn,
  core: Core,
  { grant, standing }: { grant: LoginGrant; standing: Standing | undefined },
): Promise<Record<string, unknown> | undefined> {
  const { tx, scope, mount, request, now } = turn
  if (!tx || !scope || !mount) throw new Failure('sealed')
  const required = await enforcementsFor(scope, { mount: mount.entry, standing })
  if (required.length === 0) return undefined
  const entityId = standing?.entity.id ?? ''
  const credentials = credentialsOfHeaders(request.rawHeaders)
  if (credentials) {
    await satisfy(turn, { required, entityId, credentials })
    return undefined
  }
  const id = uuid(core.random)
  const waiting: MfaRequest = {
    kind: 'passing',
    path: pathOf(id),
    expiresAt: now + WAIT_MS,
    grant,
    entityId,
    mountAccessor: mount.entry.accessor,
    mountUuid: mount.entry.uuid,
    namespaceId: turn.ns.id,
    requestPath: turn.path,
  }
  putPassing(tx, waiting)
  return requirementBlock(id, await constraintsOf(scope, required))
}

/** An `auth` block without a token: all that is said before the second factor. */
function requirementBlock(id: string, mfa_constraints: Record<string, unknown>) {
  return {
    client_token: '',
    accessor: '',
    policies: null,
    metadata: null,
    lease_duration: 0,
    renewable: false,
    entity_id: '',
    token_type: 'default',
    orphan: false,
    mfa_requirement: { mfa_request_id: id, mfa_constraints },
    num_uses: 0,
  }
}

async function constraintsOf(scope: Scope, required: readonly Enforcement[]) {
  const constraints: Record<string, unknown> = {}
  for (const enforcement of required) {
    const methods = await methodsOf(scope, enforcement)
    const any = methods.map((method) => ({
      type: method.type,
      id: method.id,
      uses_passcode: usesPasscode(method),
      name: method.name,
    }))
    constraints[enforcement.name] = { any }
  }
  return constraints
}

async function methodsOf(scope: Scope, enforcement: Enforcement): Promise<Method[]> {
  const found: Method[] = []
  for (const id of enforcement.mfa_method_ids) {
    const method = await methodById(scope, id)
    if (method) found.push(method)
  }
  return found
}

/** The request of this id that still waits, in this namespace; 400 for every other. */
export async function waitingRequest(
  tx: Tx,
  id: string,
  at: { namespaceId: string; now: number },
): Promise<MfaRequest> {
  const found = isId(id) ? await tx.get<MfaRequest>(pathOf(id)) : undefined
  const waits = found && found.expiresAt > at.now && found.namespaceId === at.namespaceId
  return waits ? found : refuse('invalid request ID')
}

/** The mount of a login, if it is still that one. */
export async function mountOfRequest(
  scope: Scope,
  core: Core,
  request: MfaRequest,
): Promise<Mount> {
  const mount = await core.mounts.byAccessor(scope, request.mountAccessor)
  return mount?.entry.uuid === request.mountUuid ? mount : refuse('invalid request ID')
}

type Asked = {
  required: readonly Enforcement[]
  entityId: string
  credentials: Credentials
}

/** Throws 403 unless each enforcement is satisfied by one of its methods. Spends the codes. */
export async function satisfy(turn: Turn, { required, ...asked }: Asked): Promise<void> {
  const { tx, scope, now } = turn
  if (!tx || !scope) throw new Failure('sealed')
  const { entityId } = asked
  /** One code serves every enforcement that asks for its method. */
  const tries = new Map<string, Tried>()
  let failure: Failure | undefined
  for (const enforcement of required) {
    const methods = await methodsOf(scope, enforcement)
    const refused = await check(scope, { methods, tries, now, ...asked })
    if (!refused) continue
    const text = `failed to satisfy enforcement ${enforcement.name}. error: ${refused.why}`
    failure = new Failure('permission_denied', text)
    break
  }
  // A refused login changes nothing, but the codes that were tried with it are tried for good.
  if (failure) tx.rollback(turn.kept)
  for (const [methodId, { next }] of tries) {
    if (next) saveSecret(scope, { methodId, entityId }, next)
  }
  if (!failure) return
  turn.kept = tx.mark()
  throw failure
}

type Check = {
  methods: readonly Method[]
  tries: Map<string, Tried>
  entityId: string
  credentials: Credentials
  now: number
}

/** Undefined = one of the methods is satisfied. */
async function check(scope: Scope, { methods, tries, ...asked }: Check) {
  let worst: Refused = { why: 'MFA credentials are not supplied' }
  for (const method of methods) {
    const passcodes = asked.credentials.get(method.id) ?? asked.credentials.get(method.name)
    if (!passcodes) continue
    const tried = tries.get(method.id) ?? (await tryMethod(scope, method, { passcodes, ...asked }))
    tries.set(method.id, tried)
    if (!tried.refused) return undefined
    worst = tried.refused
  }
  return worst
}

async function tryMethod(
  scope: Scope,
  method: Method,
  by: { passcodes: readonly string[]; entityId: string; now: number },
): Promise<Tried> {
  const refused = (why: string): Tried => ({ refused: { why } })
  if (method.type !== 'totp') {
    return refused(`mfa method type ${method.type} is not supported by this build`)
  }
  const [passcode, another] = by.passcodes
  if (passcode === undefined || another !== undefined) {
    return refused(`expected one passcode for MFA method "${method.name}"`)
  }
  return tryCode(scope, { method, entityId: by.entityId }, { passcode, now: by.now })
}
