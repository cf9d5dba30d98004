/** The steps of the pipeline, each small enough to be right at a glance. `pipeline.ts` orders them. */
import { type Tx } from '../barrier/space.ts'
import { type Endpoint, type Verb } from '../kit/engine.ts'
import { Failure } from '../kit/failure.ts'
import { type Answer, type LoginGrant, Reply } from '../kit/reply.ts'
import { JsonText } from '../kit/json-text.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'
import { StoreConflict } from '../storage/store.ts'
import { requestEntry, responseEntry } from './audit-entry.ts'
import { callOf } from './call-of.ts'
import { type Core } from './core.ts'
import { parseFields } from './endpoints.ts'
import { envelopeText } from './envelope.ts'
import { entityOfLogin } from './identity/login.ts'
import { issueLogin } from './issue.ts'
import { forgetMade, noteLease } from './lease-counts.ts'
import { type LeaseEntry, newLeaseId, saveLease } from './leases.ts'
import { cutList, readPage } from './list-page.ts'
import { askForSecondFactor, MFA_WARNING } from './mfa/second-factor.ts'
import { homeOf, ROOT } from './namespaces.ts'
import { obey } from './rotation/orders.ts'
import { noteServed } from './rotation/served.ts'
import { isInNamespaces } from './sys/in-namespaces.ts'
import { wrap } from './wrapping.ts'
import { signedToken } from './wrapping-jwt.ts'
import { isListing, policyPathOf, type Turn } from './turn.ts'
import { emitEvent } from './watch/events.ts'

const denied = () => new Failure('permission_denied', undefined, { wrapped: true })

export function refuseWhenSealed(turn: Turn, core: Core): Promise<void> | void {
  if (turn.tx) return core.audit.follow(turn.tx)
  if (!turn.match?.endpoint.whenSealed) throw new Failure('sealed')
}

export function refuseFolderWrite(turn: Turn): void {
  const { verb, path } = turn.request
  if ((verb === 'write' || verb === 'patch') && path.endsWith('/')) {
    throw new Failure('bad_request', "cannot write to a path ending in '/'")
  }
}

export function createOrUpdate(turn: Turn, core: Core): Promise<void> | void {
  const exists = turn.match?.endpoint.exists
  if (turn.request.verb === 'write' && exists) return createUnless(exists, turn, core)
}

async function createUnless(
  exists: NonNullable<Endpoint['exists']>,
  turn: Turn,
  core: Core,
): Promise<void> {
  try {
    turn.fields = parseFields(turn.match!, turn.request.data)
  } catch {
    // Whether the fields are right is told only to those who may write here.
    return
  }
  if (!(await exists(callOf(turn, core)))) turn.operation = 'create'
}

export function mayThey(turn: Turn): void {
  const { request, acl } = turn
  const verdict = acl!.check({
    path: policyPathOf(turn, turn.path),
    operation: turn.operation,
    data: request.data,
    wrapTtlSeconds: request.wrapTtlSeconds,
  })
  turn.allowed = verdict.allowed
  turn.grantingPolicies = verdict.grantingPolicies
  turn.listRules = verdict
  if (!verdict.allowed) throw denied()
}

export function haveSudo(turn: Turn): void {
  const { request, acl } = turn
  const path = policyPathOf(turn, turn.path)
  const { sudo } = acl!.check({ path, operation: turn.operation, data: request.data })
  if (sudo) return
  turn.allowed = false
  throw denied()
}

/** A limited token pays for a refused request as well. The last use ends it when all is done. */
export function spendUse(turn: Turn, core: Core): void {
  const { token, tx } = turn
  if (!token || !tx) return
  if (token.numUses > 0) {
    turn.lastUse = token.numUses === 1
    turn.token = { ...token, numUses: turn.lastUse ? -1 : token.numUses - 1 }
    core.tokens.save(tx, turn.token)
  }
  turn.kept = tx.mark()
}

export function auditRequest(turn: Turn, core: Core): Promise<void> | void {
  if (turn.unaudited || turn.match?.endpoint.unaudited) return
  // One entry a request, however often it has to be done again.
  turn.audited ??= core.audit.record((device) => requestEntry(turn, device))
  // Reading changes nothing, so its two lines may travel together; anything else waits.
  const { verb } = turn.request
  if (verb !== 'read' && !isListing(verb)) return turn.audited
}

export function isThereSuchAPath(turn: Turn): void {
  const { mount, match, path, request } = turn
  if (!mount) {
    throw new Failure('not_found', `no handler for route "${path}". route entry not found.`)
  }
  if (request.help) return
  if (!match) throw new Failure('unsupported_path', undefined, { wrapped: true })
  if (turn.ns !== ROOT && mount.entry.type === 'system' && !isInNamespaces(match.endpoint)) {
    throw new Failure('bad_request', 'operation unavailable in namespaces')
  }
  if (handlerOf(match.endpoint, request.verb)) return
  throw new Failure('unsupported_operation', undefined, { wrapped: true })
}

const handlerOf = (endpoint: Endpoint, verb: Verb) => endpoint[verb]

export function readFields(turn: Turn): void {
  const { request, match } = turn
  if (request.help) return
  const listing = isListing(request.verb)
  turn.fields ??= parseFields(match!, request.data, { listing })
  if (listing) turn.page = readPage(turn)
}

export function callEndpoint(turn: Turn, core: Core): Awaitable<void> {
  const { match, request } = turn
  if (request.help) {
    turn.reply = core.help(turn)
    return
  }
  const handler = handlerOf(match!.endpoint, request.verb)!
  turn.call = undefined
  // A scan looks for long: in the transaction of the request, each write would have it done again.
  if (request.verb === 'scan') {
    return whenReady(core.begin(false), async (aside) => {
      turn.aside = aside
      answered(turn, await handler(callOf(turn, core)))
    })
  }
  return whenReady(handler(callOf(turn, core)), (answer) => answered(turn, answer))
}

function answered(turn: Turn, answer: Answer): void {
  const { request, fields } = turn
  turn.reply = replyOf(answer, turn)
  if (turn.reply && isListing(request.verb)) cutList(turn, turn.reply)
  if (turn.reply && fields!.warnings.length > 0 && turn.reply.bare === undefined) {
    turn.reply.warnings = [...(turn.reply.warnings ?? []), ...fields!.warnings]
  }
}

function replyOf(answer: Answer, turn: Turn): Reply | undefined {
  const { warnings } = turn
  if (answer === undefined && warnings.length === 0) return undefined
  const reply =
    answer instanceof Reply ? answer : Object.assign(new Reply(), answer && { data: answer })
  if (reply.data && !(reply.data instanceof JsonText) && isEmpty(reply.data)) reply.data = undefined
  if (warnings.length > 0) reply.warnings = [...(reply.warnings ?? []), ...warnings]
  // `{}` is an answer without data, which is not the same as no answer.
  if (answer !== undefined && reply.data === undefined && isPlain(reply)) reply.status ??= 200
  return reply
}

const isPlain = (reply: Reply) => Object.values(reply).every((part) => part === undefined)

function isEmpty(data: object): boolean {
  for (const _ in data) return false
  return true
}

export function issue(turn: Turn, core: Core): Awaitable<void> {
  const { reply } = turn
  if (reply?.rotation) return obey(turn, core, reply.rotation)
  if (reply?.served) return noteServed(turn)
  if (reply?.login) return issueToken(turn, core, reply.login)
  if (reply?.lease) issueLease(turn, core)
}

async function issueToken(turn: Turn, core: Core, grant: LoginGrant): Promise<void> {
  const { reply, tx, scope, mount, ns, now } = turn
  if (!reply || !tx || !scope || !mount) return
  const login = { grant, mount: mount.entry, random: core.random, now }
  const standing = await entityOfLogin(scope, login)
  const missing = await askForSecondFactor(turn, core, { grant, standing })
  if (missing) {
    reply.auth = missing
    reply.warnings = [...(reply.warnings ?? []), MFA_WARNING]
    return
  }
  const issued = issueLogin(tx, core.tokens, { grant, mount, ns, standing, path: turn.path, now })
  reply.auth = issued.auth
  turn.made.tokens.push(issued.entry)
  if (issued.warnings.length > 0) reply.warnings = [...(reply.warnings ?? []), ...issued.warnings]
}

function issueLease(turn: Turn, core: Core): void {
  const { reply, tx, mount, token, now } = turn
  const grant = reply!.lease!
  if (turn.lastUse) {
    throw new Failure(
      'bad_request',
      'Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.',
    )
  }
  const maxTtlSeconds = Math.min(grant.maxTtlSeconds || Infinity, mount!.view.maxTtlSeconds)
  const wanted = Math.min(grant.ttlSeconds || mount!.view.defaultTtlSeconds, maxTtlSeconds)
  // Nothing is stored of a batch token that could end its leases later: they end with it.
  const batch = token?.type === 'batch'
  const left = batch ? Math.floor((token.expiresAt - now) / 1000) : Infinity
  const ttlSeconds = Math.min(wanted, left)
  const renewable = !batch && (grant.renewable ?? true)
  const id = newLeaseId(turn.path, turn.ns, core.random)
  const lease: LeaseEntry = {
    kind: 'lease',
    id,
    ...homeOf(turn.ns),
    mount: mount!.entry.uuid,
    leaseKind: grant.kind,
    secret: grant.secret,
    ...(grant.values && { issued: { at: belowMount(turn), values: grant.values } }),
    issuedAt: now,
    expiresAt: now + ttlSeconds * 1000,
    ttlSeconds,
    maxTtlSeconds,
    renewable,
    tokenUid: (batch ? token.parent : token?.uid) ?? '',
  }
  saveLease(tx!, lease)
  noteLease(tx!, lease, 1)
  reply!.leased = { id, seconds: ttlSeconds, renewable }
  turn.made.leaseId = id
}

const belowMount = ({ path, mount }: Turn) => path.slice(mount!.entry.path.length)

export function wrapResponse(turn: Turn, core: Core): Promise<void> | void {
  const { reply, tx, request } = turn
  if (request.wrapTtlSeconds <= 0 || !reply || !tx || reply.wrapInfo || reply.status === 404) return
  if (reply.bare !== undefined || reply.raw || reply.stream || reply.envelope) return
  const accessor = reply.auth?.['accessor'] ?? secretIdAccessor(reply)
  const { info, entry } = wrap(tx, core.tokens, {
    envelope: envelopeText(turn, reply),
    creationPath: turn.path,
    ttlSeconds: request.wrapTtlSeconds,
    ns: turn.ns,
    now: turn.now,
    ...(typeof accessor === 'string' && accessor !== '' && { wrappedAccessor: accessor }),
  })
  turn.reply = Object.assign(new Reply(), { wrapInfo: info, warnings: reply.warnings })
  turn.made.tokens.push(entry)
  if (request.wrapAsJwt) return asJwt(turn, core, { tx, info, auth: reply.auth })
}

const NO_ADDRESS =
  'No redirect address set in Vault so none could be encoded in the token. ' +
  "You may need to supply Vault's API address when unwrapping the token."

type ToSign = { tx: Tx; info: Record<string, unknown>; auth: Record<string, unknown> | undefined }

async function asJwt({ reply, now, request }: Turn, core: Core, { tx, info, auth }: ToSign) {
  const accessor = auth?.['accessor']
  const address = core.settings.apiAddr
  info['token'] = await signedToken(tx, {
    id: String(info['token']),
    accessor: typeof accessor === 'string' && accessor !== '' ? accessor : undefined,
    address,
    ttlSeconds: request.wrapTtlSeconds,
    now,
  })
  if (address === '') reply!.warnings = [...(reply!.warnings ?? []), NO_ADDRESS]
}

function secretIdAccessor({ data }: Reply): unknown {
  return data && !(data instanceof JsonText) ? data['secret_id_accessor'] : undefined
}

/** A refused request changes nothing but the count of its token's uses. */
export function dropRefused(turn: Turn): void {
  if (turn.refusal === undefined) return
  if (turn.tx) {
    turn.tx.rollback(turn.kept)
    forgetMade(turn.tx)
  }
  turn.afterCommit.length = 0
  turn.made = { tokens: [] }
  turn.events.length = 0
  turn.parts.length = 0
  turn.reply = undefined
}

export function endSpentToken(turn: Turn, core: Core): Promise<void> | void {
  if (turn.lastUse && turn.tx) return core.tokens.revokeTree(turn.tx, turn.token!)
}

export function commit(turn: Turn, core: Core): Promise<void> | void {
  const { tx, refusal, afterCommit, events, mount, ns, now } = turn
  if (tx && mount) {
    const source = { mount: mount.entry, home: homeOf(ns).namespace, now }
    for (const event of events) emitEvent(tx, source, event)
  }
  if (tx?.dirty) return store(turn, tx, core)
  const consistent = !tx || refusal !== undefined || tx.consistent()
  if (consistent !== true || afterCommit.length > 0) return finish(turn, consistent)
}

async function store(turn: Turn, tx: Tx, core: Core): Promise<void> {
  const { made } = turn
  // Until it is stored there is nothing to undo.
  turn.made = { tokens: [] }
  await turn.audited
  turn.made = made
  await core.commit(tx)
  await finish(turn, true)
}

async function finish(turn: Turn, consistent: Awaitable<boolean>): Promise<void> {
  if (!(await consistent)) throw new StoreConflict()
  for (const act of turn.afterCommit) await act()
}

/** Undoes what was made when nobody may be told about it. */
export async function auditResponse(turn: Turn, core: Core): Promise<void> {
  if (turn.unaudited || turn.match?.endpoint.unaudited) return
  turn.answerAudited = true
  try {
    // Sealed while it was worked on: the devices are closed, so nothing that it found may be told.
    if (turn.tx && !core.keeper.space) throw new Failure('sealed')
    for (const part of turn.parts) auditPart(part, core)
    const written = core.audit.record((device) => responseEntry(turn, device))
    // The two entries of a read are mostly written together.
    if (turn.audited !== written) await turn.audited
    await written
  } catch (error) {
    turn.reply = undefined
    await core.undo(turn.made)
    throw error
  }
}

/** Written together with the answer it belongs to, which waits for it. */
function auditPart(part: Turn, core: Core): void {
  void core.audit.record((device) => requestEntry(part, device))
  void core.audit.record((device) => responseEntry(part, device))
}
