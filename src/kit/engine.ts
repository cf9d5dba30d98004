/**
 * How an engine is declared: endpoints with their fields, help and handlers. Routing, parsing,
 * warnings, capabilities, OpenAPI, help, docs and audit masking all derive from this one value.
 */
import { type Field, type Parsed } from '../schema/field.ts'
import { type Random } from '../lib/random.ts'
import { type Call, type EntryStore, type LeaseJob, type UndoJob } from './call.ts'
import { type Answer, type TokenParams } from './reply.ts'
import { type RotationKind } from './rotation.ts'
import { type Tree } from './tree.ts'

export type Fields = Record<string, Field<unknown>>

/**
 * Who may come. `public` and `login` need no token (a login issues one); `ordinary` needs a policy
 * that grants the operation; `sudo` needs the sudo capability besides.
 */
export type Access = 'public' | 'login' | 'ordinary' | 'sudo'

export type Handler<D> = (call: Call<D>) => Promise<Answer> | Answer

type Handlers<D> = {
  read?: Handler<D>
  list?: Handler<D>
  /** All that lies below, as paths; `scanNames` walks a store for it. */
  scan?: Handler<D>
  /** POST and PUT, whether the object exists or not. */
  write?: Handler<D>
  patch?: Handler<D>
  delete?: Handler<D>
}

type EndpointSpec<F extends Fields> = Handlers<Parsed<F>> & {
  help: string
  description?: string
  fields: F
  access?: Access
  /** Only these operations need sudo or are public; absent = all of them. */
  accessFor?: readonly Verb[]
  /** Says whether a write creates or updates; without it every write is an update. */
  exists?: (call: Call<Parsed<F>>) => Promise<boolean>
  /**
   * Of a login that asks for a password: the alias whose failures are counted, so that guessing
   * ends. Said before the login runs; undefined where the request names nobody or tries nothing. A
   * 400 of the handler is a failure, unless it says that it tells of no guess (`guessed: false`).
   */
  userOf?: (call: Call<Parsed<F>>) => string | undefined
  /**
   * Of a login: the role it is for, where that is not its field `role`. It counts as its own in rate
   * limits, so it is asked before the login is looked at; undefined = none that is known.
   */
  roleOf?: (call: Call<Parsed<F>>) => Promise<string | undefined>
  /** Takes any body: no warnings about unknown fields, and `call.body` is the data (KV v1). */
  anyBody?: boolean
  /** Answers while the server is sealed or not yet initialized. */
  whenSealed?: boolean
  /** Probes that leave no audit entry. */
  unaudited?: boolean
  /** Puts every data key at the top level of the body too, as old clients expect. */
  injected?: boolean
  /** An OAuth resource: a token that is refused is answered as RFC 6750 says, with 401. */
  bearer?: boolean
  /** Not part of the API description (a catch-all that only explains). */
  hidden?: boolean
  example?: Record<string, unknown>
}

export type Verb = 'read' | 'list' | 'scan' | 'write' | 'patch' | 'delete'

/** An endpoint with its types erased, as routing sees it. */
export type Endpoint = Omit<EndpointSpec<Fields>, Verb | 'exists' | 'userOf' | 'roleOf'> & {
  /** e.g. `role/:name/secret-id`, `data/:path*`. */
  readonly path: string
  readonly exists?: (call: Call<never>) => Promise<boolean>
  readonly userOf?: (call: Call<never>) => string | undefined
  readonly roleOf?: (call: Call<never>) => Promise<string | undefined>
} & Handlers<never>

/**
 * Declares an endpoint. Captures: `:name` is one segment, `:rest*` the rest of the path, which may
 * be empty. The most specific path wins.
 */
export function endpoint<F extends Fields>(path: string, spec: EndpointSpec<F>): Endpoint {
  return { ...spec, path }
}

export type LeaseKind = {
  /** Ends what the lease stands for. Runs outside any transaction; must bear being run twice. */
  revoke(job: LeaseJob): Promise<void>
  /** Prolongs it on the foreign system, if that must know. */
  renew?(job: LeaseJob, seconds: number): Promise<void>
}

/**
 * How a mount of an earlier version becomes one of this version: at once to its callers, and bit by
 * bit in its store. Between `start` and `finish` the engine answers as if all had been converted.
 */
export type Upgrade = {
  /** The version it comes from. */
  readonly from: string
  /** In the transaction that gives the mount its version. */
  start(store: EntryStore, now: number): void
  /** Names of what has not been converted yet, at most so many. */
  left(store: EntryStore, limit: number): Promise<string[]>
  /** Those of them that are still there; each stays as it is to a reader. */
  convert(store: EntryStore, names: readonly string[], random: Random): Promise<void>
  /** Nothing is left. */
  finish(store: EntryStore): void
}

export type Engine = {
  /** The type as mounts name it: `kv`, `approle`. */
  readonly type: string
  readonly class: 'secret' | 'auth'
  readonly help: string
  readonly endpoints: readonly Endpoint[]
  /** `options.version` this engine serves, where a type has several. */
  readonly version?: string
  readonly upgrade?: Upgrade
  /** Its secrets lie at paths, and can be moved, copied and searched. */
  readonly tree?: Tree
  readonly leases?: Readonly<Record<string, LeaseKind>>
  /** By the kinds of `call.foreign`: takes back what may have been done. Must bear being run twice. */
  readonly undo?: Readonly<Record<string, (job: UndoJob) => Promise<void>>>
  readonly rotations?: Readonly<Record<string, RotationKind>>
  /** The server was sealed or is ending: lets go of all that is held open or in memory. */
  readonly sealed?: () => void
  /** What the catalog of plugins lists as databases. */
  readonly databases?: readonly string[]
  /** The role's settings now, when a token of this mount is renewed; undefined = role is gone. */
  readonly renewLogin?: (
    call: Call<Record<string, never>>,
    internal: Record<string, unknown>,
  ) => Promise<TokenParams | undefined>
}

export function defineEngine(engine: Omit<Engine, 'class'> & { class?: Engine['class'] }): Engine {
  return { class: 'secret', ...engine }
}
