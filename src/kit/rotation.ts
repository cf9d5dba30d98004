/**
 * How an engine lets its credentials be rotated. Core has the state machine, its records and the
 * holders; an engine says what one step does to one target. Core never trusts an error: whether a
 * change has happened is told by `probe`, a real login, and by nothing else.
 *
 *   plan ─ record stored ─> apply ─> verify ─> publish ─ holders let go ─> softRevoke ─> revoke
 *
 * Steps that change a target run outside any transaction and bear being run twice. One that has been
 * aborted may take effect half a minute later at most: an engine gives its statements such a limit.
 */
import { type Random } from '../lib/random.ts'
import { type EntryStore, type MountView } from './call.ts'

/**
 * What is served, and what a login needs: `{ username, password }` and the like. Only its engine
 * looks inside; it lies in the store sealed, and in no log.
 */
export type Credential = Readonly<Record<string, unknown>>

/** One credential of a rotation: what it is, and which change made it. */
export type Generation = { readonly number: number; readonly credential: Credential }

export type RotationJob = {
  /** As it was declared; e.g. the name of a static role. */
  readonly name: string
  readonly mount: MountView
  /** The mount's entries as they are now. Reads only: a step has no transaction to write in. */
  readonly store: Pick<EntryStore, 'get' | 'list'>
  /** What the engine declared the rotation with. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly now: number
  readonly random: Random
  /** Aborted when the step takes too long, or the duty is another's. */
  readonly signal: AbortSignal
  generatePassword(policy: string): Promise<string>
}

/** What stood and what is to come; `previous` is what has not been revoked yet. */
export type Standing = {
  readonly current: Generation | undefined
  readonly previous: Generation | undefined
}

/** What a login with a credential showed. */
export type Probe =
  | { readonly outcome: 'works' }
  /** The target answered, and would not have it. */
  | { readonly outcome: 'refused'; readonly why: string }
  /** Nothing was learned: the target is away, or too slow. */
  | { readonly outcome: 'unreachable'; readonly why: string }

/** Somebody who is logged in to the target; everything the target can tell, nothing secret. */
export type TargetSession = {
  readonly id: string
  readonly user: string
  /** `application_name`, a client name: what the session calls itself. */
  readonly application: string
  readonly address: string
  readonly since: number
}

/** What `coffer rotate plan` tells of a target before anything happens. */
export type RotationSketch = {
  /** e.g. `postgresql app-db (127.0.0.1:5432)`: for people, without credentials. */
  readonly target: string
  /** e.g. `ab`, `dual-password`, `single`. */
  readonly strategy: string
  /** One line each, in order: what will be done there. */
  readonly steps: readonly string[]
  /** Whether there is a moment at which the served credential does not work. */
  readonly gap: boolean
  /** Whether the target can say who is logged in with the old credential. */
  readonly seesSessions: boolean
}

/** What the next generation is planned from. */
export type Next = {
  readonly number: number
  /** Of an assisted rotation: what a person has posted. */
  readonly given?: Readonly<Record<string, unknown>> | undefined
} & Standing

export type RotationKind = {
  /** Where callers read it, below the mount: `static-creds/app`. Names the rotation with the mount's path. */
  servedAt(name: string): string
  /** What a policy must let one read to be told about it, below the mount. Absent = where it is served. */
  readableAt?(name: string): string
  /** The new value comes from a person, is proven, and waits as STAGED until it is activated. */
  readonly assisted?: boolean
  /**
   * Of a kind that is declared at `sys/coffer/rotate/config`: checks and completes what was given
   * there (a Failure says what is wrong), and says what is served already, if anything is.
   */
  configure?(
    store: EntryStore,
    name: string,
    given: Readonly<Record<string, unknown>>,
  ): Promise<{ settings: Record<string, unknown>; imported?: Credential }>
  /** The highest number that callers have been told in another way; the next generation gets a higher one. */
  numberedTo?(store: Pick<EntryStore, 'get' | 'list'>, name: string): Promise<number>
  sketch(job: RotationJob, standing: Standing): Promise<RotationSketch>
  /**
   * The next credential, in a place that neither of the standing ones uses. Changes nothing on the
   * target. Throws a Failure where that cannot be had (a gap that was not accepted).
   */
  plan(job: RotationJob, next: Next): Promise<Credential>
  /**
   * Makes the candidate work. After any error its outcome is unknown, and core probes. Where the
   * target makes the value itself, returns the candidate with it; applied again, it takes away what
   * an earlier call may have left there.
   */
  apply(job: RotationJob, candidate: Credential, standing: Standing): Promise<Credential | void>
  /** A real login with this credential, on the first endpoint. Throws never. */
  probe(job: RotationJob, credential: Credential): Promise<Probe>
  /** A real login on every declared endpoint, and what it may do there. */
  verify(job: RotationJob, candidate: Credential, standing: Standing): Promise<Probe>
  /**
   * Writes what callers are to read, in the transaction that makes this generation the current one.
   * Also called, with the generation before, by a rollback.
   */
  publish(store: EntryStore, name: string, served: Generation, now: number): Promise<void> | void
  /** Nothing of it is rotated any more: what callers read stays, or not, as the engine sees fit. */
  unpublish?(store: EntryStore, name: string): Promise<void> | void
  /** Who is logged in with it. Absent where the target cannot tell. */
  sessions?(job: RotationJob, credential: Credential): Promise<readonly TargetSession[]>
  /** New logins with `old` are refused, open sessions stay, and it can be undone. */
  softRevoke(job: RotationJob, old: Credential, current: Credential): Promise<void>
  undoSoftRevoke(job: RotationJob, old: Credential, current: Credential): Promise<void>
  /** Logins with `old` that were refused since then, where the target tells; absent where it cannot. */
  refusedSince?(job: RotationJob, old: Credential, since: number): Promise<number>
  /** For good. */
  revoke(job: RotationJob, old: Credential, current: Credential): Promise<void>
  /** Ends the sessions of `old`; how many. Only in an emergency. */
  terminate?(job: RotationJob, old: Credential): Promise<number>
  /** The candidate of a rotation that was given up: nothing of it is left on the target. */
  discard(job: RotationJob, candidate: Credential, standing: Standing): Promise<void>
  /** Makes the current credential work again after somebody changed it on the target. */
  reapply?(job: RotationJob, current: Credential, standing: Standing): Promise<void>
  /** The rotation is gone: what may be left on the target, and what is taken away. */
  retire?(job: RotationJob, standing: Standing): Promise<void>
}

/** When it rotates by itself. `undefined` everywhere = only when told to. */
export type RotationTiming = {
  readonly periodSeconds?: number
  /** cron, five fields, UTC. */
  readonly schedule?: string
  readonly windowSeconds?: number
}

/** How long core waits for holders, and what it does then. Absent = the server's defaults. */
export type RotationRules = {
  /** Holders that have not let go after this are alerted about by name. It is never revoked by time. */
  readonly maxGraceSeconds?: number
  /** No session on the old credential for so long, before it is soft-revoked. */
  readonly quietSeconds?: number
  /** From soft to hard revoke: a refused login or a NACK undoes it in this time. */
  readonly undoWindowSeconds?: number
  /** How long a reader that says nothing counts as a holder, at most. */
  readonly readerHoldSeconds?: number
  /** How often the served credential is tried. */
  readonly driftSeconds?: number
}

/** What a handler asks core to do with a rotation, in the transaction of its request. */
export type RotationOrder =
  | {
      readonly act: 'declare'
      /** Of the engine's `rotations`. */
      readonly kind: string
      readonly name: string
      readonly settings: Record<string, unknown>
      readonly timing: RotationTiming
      readonly rules: RotationRules
      /** Known to work already: served as it is, and not changed until the first rotation. */
      readonly imported?: Credential
      /**
       * Rotate at once; the answer waits until the new credential is served, or says why not. One that
       * serves already is only declared anew.
       */
      readonly rotate: boolean
    }
  | { readonly act: 'rotate'; readonly kind: string; readonly name: string }
  | { readonly act: 'retire'; readonly kind: string; readonly name: string }
