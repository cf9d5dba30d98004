/** What any path of the API answers, with its tokens out of sight. */
import { Secret } from '../lib/secret.ts'
import { type Answer } from './http.ts'

/** `data` is undefined when the server had nothing to say. Without a lease, `leaseId` is undefined. */
export type Reply = {
  data: Record<string, unknown> | undefined
  warnings: readonly string[]
  leaseId: string | undefined
  leaseSeconds: number
  renewable: boolean
  /** Which one of a credential that is rotated this is; undefined where the server does not say. */
  generation: number | undefined
  auth: ReplyAuth | undefined
  wrapInfo: ReplyWrapInfo | undefined
}
export type ReplyAuth = {
  token: Secret
  accessor: string
  policies: readonly string[]
  leaseSeconds: number
  renewable: boolean
}
export type ReplyWrapInfo = {
  token: Secret
  accessor: string
  ttlSeconds: number
  creationTime: string
  creationPath: string
}

export function replyOf({ body, generation }: Answer): Reply {
  const { auth, wrap_info: wrapInfo, warnings } = body ?? {}
  return {
    data: dataOf(body),
    warnings: Array.isArray(warnings) ? (warnings as string[]) : [],
    leaseId: textOf(body?.['lease_id']) || undefined,
    leaseSeconds: Number(body?.['lease_duration'] ?? 0),
    renewable: body?.['renewable'] === true,
    generation,
    auth: isFields(auth) ? authOf(auth) : undefined,
    wrapInfo: isFields(wrapInfo) ? wrapInfoOf(wrapInfo) : undefined,
  }
}

type Fields = Record<string, unknown>
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

/** Some paths of `sys/` answer without the envelope: then the body is the data. */
function dataOf(body: Fields | undefined): Fields | undefined {
  if (body === undefined) return undefined
  if (!('request_id' in body)) return body
  return isFields(body['data']) ? body['data'] : undefined
}

function authOf(auth: Fields): ReplyAuth {
  return {
    token: new Secret(textOf(auth['client_token']), 'token'),
    accessor: textOf(auth['accessor']),
    policies: Array.isArray(auth['policies']) ? (auth['policies'] as string[]) : [],
    leaseSeconds: Number(auth['lease_duration'] ?? 0),
    renewable: auth['renewable'] === true,
  }
}

function wrapInfoOf(info: Fields): ReplyWrapInfo {
  return {
    token: new Secret(textOf(info['token']), 'wrapping token'),
    accessor: textOf(info['accessor']),
    ttlSeconds: Number(info['ttl'] ?? 0),
    creationTime: textOf(info['creation_time']),
    creationPath: textOf(info['creation_path']),
  }
}
