/**
 * What an engine sees of a request. Its writes go through a view that ends at its mount.
 *
 * A request has one or two of these and asks for few of their functions. So those are made when they
 * are asked for; being getters, they may be taken out of the call like everything else in it.
 */
import {
  type Call,
  type Caller,
  type EntryStore,
  type MountView,
  type Operation,
} from '../kit/call.ts'
import { Failure } from '../kit/failure.ts'
import { type Random } from '../lib/random.ts'
import { type Page } from '../storage/store.ts'
import { type Core } from './core.ts'
import { foreignFor } from './foreign.ts'
import { engineCuts } from './list-page.ts'
import { CUBBYHOLE_PREFIX, entriesUnder, type Mount } from './mounts.ts'
import { scopeIn } from './namespaces.ts'
import { onceFor } from './once.ts'
import { passwordBy } from './sys/password-policies.ts'
import { tellableHeader } from './tellable-header.ts'
import { TURN, type Turn } from './turn.ts'

const NONE_GIVEN: ReadonlySet<string> = new Set()
/** Not a name: no engine can come to the core through a call. */
const CORE = Symbol('core')

export function callOf(turn: Turn, core: Core): Call<never> {
  turn.call ??= new TurnCall(turn, core) as Call<unknown> as Call<never>
  return turn.call
}

class TurnCall implements Call<unknown> {
  // Named by types alone: its symbol is another module's, which may be loaded after this one.
  declare readonly [TURN]: Turn
  readonly [CORE]: Core
  readonly data: Record<string, unknown>
  readonly given: ReadonlySet<string>
  readonly body: Readonly<Record<string, unknown>>
  readonly operation: Operation
  readonly page: Page
  readonly path: string
  readonly mount: MountView
  readonly store: EntryStore
  readonly now: number
  readonly random: Random
  readonly caller: Caller | undefined
  readonly remoteAddress: string
  readonly requestId: string
  readonly wrapTtlSeconds: number

  constructor(turn: Turn, core: Core) {
    const { request, mount, fields } = turn
    this[TURN] = turn
    this[CORE] = core
    this.data = fields?.data ?? {}
    this.given = fields?.given ?? NONE_GIVEN
    this.body = request.data
    this.operation = turn.operation
    this.page = engineCuts(turn) ? turn.page : {}
    this.path = turn.path.slice(mount!.entry.path.length)
    this.mount = mount!.view
    this.store = storeOf(turn)
    this.now = turn.now
    this.random = core.random
    this.caller = turn.caller
    this.remoteAddress = request.remoteAddress
    this.requestId = request.id
    this.wrapTtlSeconds = request.wrapTtlSeconds
  }

  get header(): Call<unknown>['header'] {
    const { request, mount } = this[TURN]
    return (name) =>
      tellableHeader(request.rawHeaders, name, mount!.entry.config.passthrough_request_headers)
  }
  get peerCertificates(): Call<unknown>['peerCertificates'] {
    const { request } = this[TURN]
    return () => request.peerCertificates?.() ?? []
  }
  get once(): Call<unknown>['once'] {
    return onceFor(this[TURN].request)
  }
  get foreign(): Call<unknown>['foreign'] {
    return foreignFor(this[TURN], this[CORE])
  }
  get emit(): Call<unknown>['emit'] {
    const turn = this[TURN]
    return (event) => void turn.events.push(event)
  }
  get generatePassword(): Call<unknown>['generatePassword'] {
    const turn = this[TURN]
    return (policy) => passwordBy(turn.scope!, policy, this.random)
  }
  get warn(): Call<unknown>['warn'] {
    const turn = this[TURN]
    return (text) => void turn.warnings.push(text)
  }
}

/** As `call`, but about another mount, and without what the request itself brought. */
export function callAt(call: Call<unknown>, mount: Mount, store: EntryStore) {
  // Not a copy, which would be without the functions.
  const other = Object.create(call) as Call<unknown>
  const about = { data: {}, given: NONE_GIVEN, body: {}, path: '', mount: mount.view, store }
  for (const [name, value] of Object.entries(about)) Object.defineProperty(other, name, { value })
  return other as Call<Record<string, never>>
}

/** A token's cubbyhole is in its own namespace, wherever it asks. */
function storeOf({ mount, tx, aside, scope, ns, tokenNs }: Turn): EntryStore {
  if (!tx || !scope) return NO_STORE
  const { prefix } = mount!
  if (prefix === CUBBYHOLE_PREFIX) return entriesUnder(scopeIn(aside ?? tx, tokenNs), prefix)
  return entriesUnder(aside ? scopeIn(aside, ns) : scope, prefix)
}

const sealed = () => {
  throw new Failure('sealed')
}
const NO_STORE: EntryStore = { get: sealed, put: sealed, remove: sealed, list: sealed }
