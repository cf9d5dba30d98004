/** What core is asked, what it answers, and what it knows on the way from one to the other. */
import { type Mark, type Scope, type Tx } from '../barrier/space.ts'
import { type Call, type Caller, type Operation } from '../kit/call.ts'
import { type Access, type Endpoint, type Verb } from '../kit/engine.ts'
import { type Page } from '../storage/store.ts'
import { type Reply, type Stream } from '../kit/reply.ts'
import { type Awaitable } from '../lib/awaitable.ts'
import { type Acl } from './acl.ts'
import { type DeviceView } from './audit.ts'
import { type CanonicalPath } from './canonical-path.ts'
import { type Match, type ParsedFields } from './endpoints.ts'
import { type Attempt } from './lockout.ts'
import { type KeysFilter } from './policies-keys-filter.ts'
import { type Mount } from './mounts.ts'
import { type PassingEntry } from './passing.ts'
import { type Home, isWithin, type Namespace, namespaceById, ROOT } from './namespaces.ts'
import { type TokenEntry } from './tokens.ts'

export type Request = {
  readonly id: string
  readonly verb: Verb
  /** The HTTP method was HEAD: an answer without its body. */
  readonly head?: boolean
  readonly path: CanonicalPath
  /** As the header names it, without slashes at its ends; absent = the root. */
  readonly namespace?: CanonicalPath | undefined
  /** The body's object, or the query's. Empty when there was none. */
  readonly data: Readonly<Record<string, unknown>>
  readonly token: string | undefined
  readonly wrapTtlSeconds: number
  /** The wrapping token is to be a JWT. */
  readonly wrapAsJwt?: boolean
  readonly help?: boolean
  /** The listener was told to answer sys/metrics without a token. */
  readonly openMetrics?: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  /** As they came: name, value, name, value … */
  readonly rawHeaders: readonly string[]
  /** Of a TLS client: its certificate and what it sent with it, as DER, not verified. */
  readonly peerCertificates?: (() => readonly Uint8Array[]) | undefined
  readonly receivedAt: number
}

export type Response = {
  status: number
  contentType: string
  body: string | Uint8Array
  headers?: Record<string, string>
  /** Takes the place of the body. */
  stream?: Stream
}

export type Made = {
  tokens: TokenEntry[]
  leaseId?: string
  /** A step of a ceremony, which asks for no token: the entry as it was, and as it was left. */
  step?: { before: Awaitable<PassingEntry | undefined>; after: PassingEntry }
}

export type Turn = {
  readonly request: Request
  /** Milliseconds since the epoch; one moment for the whole request. */
  readonly now: number
  tx: Tx | undefined
  /** Where the request is: the root, until the path and the header have been read. */
  ns: Namespace
  /** The entries of that namespace. */
  scope: Scope | undefined
  /** What a scan reads: as it is now, and no part of what the commit depends on. */
  aside: Tx | undefined
  /** Relative to the namespace. */
  path: string
  mount: Mount | undefined
  match: Match | undefined
  kind: Access
  operation: Operation
  token: TokenEntry | undefined
  /** What the token belongs to: the policies it has speak of paths from there on. */
  tokenNs: Namespace
  acl: Acl | undefined
  /** What the token has from its entity and that one's groups. */
  identityPolicies: readonly string[]
  caller: Caller | undefined
  allowed: boolean
  grantingPolicies: readonly string[]
  /** What the policies say about the length and the names of a list. */
  listRules: ListRules
  /** Of a list or scan: the part that is wanted and allowed. */
  page: Page
  fields: ParsedFields | undefined
  call: Call<never> | undefined
  /** Writes up to here stay even if the request is refused: the use of a token that was spent. */
  kept: Mark | undefined
  lastUse: boolean
  /** A login that names a user, until the credentials have proven right. */
  attempt: Attempt | undefined
  refusal: Error | undefined
  /** For the answer, whatever it is. */
  headers: Record<string, string> | undefined
  /** Refused before it was looked at, and so often that it is not written down. */
  unaudited: boolean
  reply: Reply | undefined
  warnings: string[]
  /** What those who watch are told, once it has been committed. Paths are below the mount. */
  events: Parameters<Call<never>['emit']>[0][]
  /** A token, lease or step of a ceremony this request has made, to be undone if its answer cannot be audited. */
  made: Made
  audited: Promise<void> | undefined
  /** The answer's entry has been written, or has failed to be. */
  answerAudited: boolean
  /** Who asked for what, as one device prints it: both of its entries say it. */
  asked: { device: DeviceView; text: string } | undefined
  /** The path that was asked for, when this was done for its answer and is told to nobody. */
  via: string | undefined
  /** What was done at other paths for this request, each of which has its own audit entries. */
  parts: Turn[]
  /** Run after the commit, before the reply (opening an audit device, sealing). */
  afterCommit: (() => Promise<void> | void)[]
  /** Run when the answer has been audited, before it goes out (sealing). */
  atLast: (() => Promise<void> | void)[]
  /** Run after the answer has gone out (long tidying). */
  afterReply: (() => void)[]
}

/** As a verdict tells them; absent = no such rule. */
export type ListRules = { readonly paginationLimit?: number; readonly keysFilter?: KeysFilter }

/** LIST and SCAN: questions whose path is a folder. */
export const isListing = (verb: string): boolean => verb === 'list' || verb === 'scan'

/**
 * Where a call carries its turn. Not a WeakMap: one entry a request would cost the garbage
 * collector more than the request costs us.
 */
export const TURN = Symbol('turn')

/** The turn behind a call: for core's own endpoints, which need more than an engine may see. */
export function turnOf(call: Call<never>): Turn {
  const turn = (call as { [TURN]?: Turn })[TURN]
  if (!turn) throw new TypeError('not a call of this core')
  return turn
}

/** As `turnOf`, with the transaction, which is there whenever the server is unsealed. */
export function txOf(call: Call<never>): Tx {
  const { tx } = turnOf(call)
  if (!tx) throw new TypeError('no transaction while sealed')
  return tx
}

/** The entries of the namespace the request is in. */
export function scopeOf(call: Call<never>): Scope {
  const { scope } = turnOf(call)
  if (!scope) throw new TypeError('no transaction while sealed')
  return scope
}

/** Whether an entry belongs to the request's namespace or one below it: what else there is, is not. */
export async function isHere(call: Call<never>, home: Home | undefined): Promise<boolean> {
  const owner = await namespaceById(txOf(call), home?.id)
  return owner !== undefined && isWithin(owner, turnOf(call).ns)
}

/** A path of the request's namespace as the policies of its token name it. */
export function policyPathOf({ ns, tokenNs }: Pick<Turn, 'ns' | 'tokenNs'>, path: string): string {
  return ns === tokenNs ? path : ns.path.slice(tokenNs.path.length) + path
}

export function newTurn(request: Request, now: number): Turn {
  return {
    request,
    now,
    tx: undefined,
    ns: ROOT,
    scope: undefined,
    aside: undefined,
    path: request.path,
    mount: undefined,
    match: undefined,
    kind: 'ordinary',
    operation: request.verb === 'write' ? 'update' : request.verb,
    token: undefined,
    tokenNs: ROOT,
    acl: undefined,
    identityPolicies: [],
    caller: undefined,
    allowed: false,
    grantingPolicies: [],
    listRules: {},
    page: {},
    fields: undefined,
    call: undefined,
    kept: undefined,
    lastUse: false,
    attempt: undefined,
    refusal: undefined,
    headers: undefined,
    unaudited: false,
    reply: undefined,
    warnings: [],
    events: [],
    made: { tokens: [] },
    audited: undefined,
    answerAudited: false,
    asked: undefined,
    via: undefined,
    parts: [],
    afterCommit: [],
    atLast: [],
    afterReply: [],
  }
}

/** Whether an endpoint asks for this access for this verb. */
export function accessOf(endpoint: Endpoint, verb: Verb): Access {
  const { access = 'ordinary', accessFor } = endpoint
  return accessFor && !accessFor.includes(verb) ? 'ordinary' : access
}
