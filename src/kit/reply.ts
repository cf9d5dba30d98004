/**
 * What a handler answers. A plain object is `data`; undefined is 204 (404 on a read or a list).
 * Everything else is said with one of the functions below, so a reader sees what is special.
 */
import { type JsonText } from './json-text.ts'
import { type RotationOrder } from './rotation.ts'

export type ReplyData = Record<string, unknown> | JsonText

/** A lease to be issued: `kind` names the engine's revoker, `secret` is what it will be given. */
export type LeaseGrant = {
  kind: string
  secret: Record<string, unknown>
  /**
   * Values of the answer, by their names in it, that a scanner is to know. They are kept sealed as long
   * as the lease and a week longer, and are in no answer again.
   */
  values?: Readonly<Record<string, string>>
  ttlSeconds?: number
  maxTtlSeconds?: number
  renewable?: boolean
}

/** What a login has proven, and what token it asks for. */
export type LoginGrant = {
  /** Who this is to the mount; the alias of the identity. */
  alias: string
  /** Kept with the alias; policies may be templated by it. Default: `metadata`. */
  aliasMetadata?: Record<string, string>
  /** Names of groups the foreign system has this caller in: aliases of external groups. */
  groups?: readonly string[]
  displayName: string
  metadata: Record<string, string>
  token: TokenParams
  /** Given back to the engine when the token is renewed. Never shown. */
  internal?: Record<string, unknown>
  /** False = the token cannot be prolonged. */
  renewable?: boolean
}

/** The generic token_* settings of a role, after parsing. Zero means "not set". */
export type TokenParams = {
  policies: readonly string[]
  ttlSeconds: number
  maxTtlSeconds: number
  explicitMaxTtlSeconds: number
  periodSeconds: number
  numUses: number
  noDefaultPolicy: boolean
  type: 'default' | 'default-service' | 'default-batch' | 'service' | 'batch'
  boundCidrs: readonly string[]
}

/**
 * Begins when the answer's head has been sent; what it returns ends it, and may be called at once.
 * `write` says whether the client keeps up; if not, `whenDrained` calls once it has.
 */
export type Stream = (to: {
  write: (text: string) => boolean
  whenDrained: (run: () => void) => void
  end: () => void
}) => () => void

export class Reply {
  data: ReplyData | undefined
  warnings: string[] | undefined
  /** Replaces 200/204. */
  status: number | undefined
  lease: LeaseGrant | undefined
  login: LoginGrant | undefined
  /** JSON without the envelope. */
  bare: unknown
  /** Bytes of another content type. */
  raw: { contentType: string; body: string | Uint8Array } | undefined
  /** Text that goes on for as long as the client reads. */
  stream: Stream | undefined
  /** Its content type; absent = text/plain. */
  streamType: string | undefined
  /** Replaces the whole body: a wrapped response as it was stored. */
  envelope: Record<string, unknown> | undefined
  /** lease_duration of a reply without a lease (KV v1). */
  leaseSeconds: number | undefined
  /** The auth block as core made it; only core's own endpoints set this. */
  auth: Record<string, unknown> | undefined
  wrapInfo: Record<string, unknown> | undefined
  /** The lease block as core made it (renewals). */
  leased: { id: string; seconds: number; renewable: boolean } | undefined
  headers: Record<string, string> | undefined
  /** What is to be done with a rotation of this mount. */
  rotation: RotationOrder | undefined
  /** A rotated credential is told: whoever reads it holds this generation from now on. */
  served: { kind: string; name: string; generation: number } | undefined
}

export type Answer = Reply | Record<string, unknown> | JsonText | undefined

function make(parts: Partial<Reply>): Reply {
  return Object.assign(new Reply(), parts)
}

export const bare = (body: unknown, status = 200): Reply => make({ bare: body, status })
export const lease = (data: ReplyData, grant: LeaseGrant): Reply => make({ data, lease: grant })
export const login = (grant: LoginGrant, warnings?: string[]): Reply =>
  make({ login: grant, ...(warnings && { warnings }) })
export const raw = (contentType: string, body: string | Uint8Array): Reply =>
  make({ raw: { contentType, body } })
/** Data (or none) under another status, e.g. 404 with the metadata of a deleted version. */
export const withStatus = (status: number, data?: ReplyData): Reply =>
  make({ status, ...(data && { data }) })
export const warn = (warnings: string[], data?: ReplyData): Reply =>
  make({ warnings, ...(data && { data }) })
/** 202: queued, with Vault's words about it. */
export const accepted = (warning?: string): Reply =>
  make({ status: 202, ...(warning && { warnings: [warning] }) })
export const reply = make
