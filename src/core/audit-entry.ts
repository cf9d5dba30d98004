/**
 * The text of an audit entry, in Vault's shape (vault-protocol.md, section 11), built from parts:
 * what depends only on the token or the mount is printed once and kept as long as that object
 * lives. A new field is hashed unless it is written here as clear. Entries are open: the chain adds
 * its own fields at their end and closes them.
 */
import { rfc3339 } from '../lib/clock.ts'
import { JsonText } from '../kit/json-text.ts'
import { type Reply } from '../kit/reply.ts'
import { type DeviceView } from './audit.ts'
import { union } from './identity/standing.ts'
import { headersPart } from './audited-headers.ts'
import { type Mount, shownType } from './mounts.ts'
import { type Namespace } from './namespaces.ts'
import { type TokenEntry } from './tokens.ts'
import { isListing, type Turn } from './turn.ts'
import { errorText } from './envelope.ts'

const NOTHING: ReadonlySet<string> = new Set()
const mountTexts = new WeakMap<Mount, string>()
const tokenTexts = new WeakMap<TokenEntry, WeakMap<DeviceView, TokenTexts>>()

/** What a device prints of a token that comes again, with what it was printed from. */
type TokenTexts = {
  auth: Pick<Turn, 'identityPolicies' | 'grantingPolicies' | 'allowed' | 'tokenNs'> & {
    text: string
  }
  place: Pick<Turn, 'mount' | 'ns'> & { id: string | undefined; text: string }
}

/** In one piece: a text that was put together is walked through again each time it is copied. */
const flat = (text: string) => Buffer.from(text).toString()
const quote = (value: unknown) => JSON.stringify(value)

export function requestEntry(turn: Turn, device: DeviceView): string {
  return `{"time":"${rfc3339(turn.now)}","type":"request"${askedPart(turn, device)}${errorPart(turn)}`
}

export function responseEntry(turn: Turn, device: DeviceView): string {
  return (
    `{"time":"${rfc3339(turn.now)}","type":"response"${askedPart(turn, device)}` +
    `,"response":${responsePart(turn, device)}${errorPart(turn)}`
  )
}

/** A request that has touched a bait: who asked for what, beside the entries it has anyway. */
export function honeyEntry(
  turn: Turn,
  device: DeviceView,
  bait: { readonly name: string; readonly kind: string },
): string {
  return (
    `{"time":"${rfc3339(turn.now)}","type":"honey"${askedPart(turn, device)}` +
    `,"honey":${quote(bait)}${errorPart(turn)}`
  )
}

/** Of an answer that went on for a while: what became of it, in names and numbers of ours. */
export function endEntry(
  turn: Turn,
  device: DeviceView,
  facts: Readonly<Record<string, string | number>>,
): string {
  return (
    `{"time":"${rfc3339(turn.now)}","type":"response"${askedPart(turn, device)}` +
    `,"response":{${mountPart(turn).slice(1)},"data":${quote(facts)}}`
  )
}

/** Who asked for what: the same in both entries of a turn, so it is printed once. */
function askedPart(turn: Turn, device: DeviceView): string {
  if (turn.asked?.device === device) return turn.asked.text
  const { auth, place } = turn.token
    ? ofToken(turn, turn.token, device)
    : { auth: authPart(turn, device), place: placePart(turn, device) }
  const text = `${auth},"request":${requestPart(turn, device, place)}`
  turn.asked = { device, text }
  return text
}

/** The same objects again are the same text again: an ACL too hands out the same lists. */
function ofToken(turn: Turn, token: TokenEntry, device: DeviceView) {
  let ofDevices = tokenTexts.get(token)
  if (!ofDevices) tokenTexts.set(token, (ofDevices = new WeakMap()))
  const known = ofDevices.get(device)
  const { identityPolicies, grantingPolicies, allowed, tokenNs, mount, ns } = turn
  const { token: id } = turn.request
  let [auth, place] = [known?.auth, known?.place]
  if (
    auth?.identityPolicies !== identityPolicies ||
    auth.grantingPolicies !== grantingPolicies ||
    auth.allowed !== allowed ||
    auth.tokenNs !== tokenNs
  ) {
    const text = flat(authPart(turn, device))
    auth = { identityPolicies, grantingPolicies, allowed, tokenNs, text }
  }
  if (place?.mount !== mount || place?.ns !== ns || place.id !== id) {
    place = { mount, ns, id, text: flat(placePart(turn, device)) }
  }
  if (auth !== known?.auth || place !== known.place) ofDevices.set(device, { auth, place })
  return { auth: auth.text, place: place.text }
}

/** Our failures say names, never values; anything else is told apart by its kind alone. */
function errorPart(turn: Turn): string {
  return turn.refusal ? `,"error":${quote(errorText(turn.refusal))}` : ''
}

function authPart(turn: Turn, device: DeviceView): string {
  const { token, request } = turn
  const results = `"policy_results":{"allowed":${turn.allowed}${granting(turn)}}`
  if (!token) {
    if (request.token === undefined) return ''
    return `,"auth":{"client_token":"${device.hasher.hash(request.token)}",${results}}`
  }
  return `,"auth":{${tokenPart(turn, token, device)},${results}}`
}

function granting({ grantingPolicies, tokenNs }: Turn): string {
  if (grantingPolicies.length === 0) return ''
  const list = grantingPolicies.map(
    (name) => `{"name":${quote(name)}${idPart(tokenNs)},"type":"acl"}`,
  )
  return `,"granting_policies":[${list.join(',')}]`
}

function tokenPart(
  { request, identityPolicies }: Turn,
  token: TokenEntry,
  { hasher, hashAccessor }: DeviceView,
): string {
  const accessor = token.accessor && (hashAccessor ? hasher.hash(token.accessor) : token.accessor)
  const parts = [
    `"client_token":"${hasher.hash(request.token ?? '')}"`,
    ...(accessor ? [`"accessor":${quote(accessor)}`] : []),
    `"display_name":${quote(token.displayName)}`,
    `"policies":${quote(union(token.policies, identityPolicies))}`,
    `"token_policies":${quote(token.policies)}`,
    ...(identityPolicies.length > 0 ? [`"identity_policies":${quote(identityPolicies)}`] : []),
    `"metadata":${quote(token.meta)}`,
    ...(token.entityId ? [`"entity_id":${quote(token.entityId)}`] : []),
    ...(token.numUses > 0 ? [`"remaining_uses":${token.numUses}`] : []),
    `"token_type":"${token.type}"`,
    `"token_issue_time":"${rfc3339(token.createdAt)}"`,
    ...(token.ttlSeconds > 0 ? [`"token_ttl":${token.ttlSeconds}`] : []),
  ]
  return parts.join(',')
}

/** A granting policy's namespace, as Vault says it of the root and of others. */
const idPart = ({ id, path, prefix }: Namespace) =>
  prefix === ''
    ? ',"namespace_id":"root"'
    : `,"namespace_id":${quote(id)},"namespace_path":${quote(path)}`

const namespacePart = ({ id, path }: Namespace) =>
  path === '' ? `{"id":"root"}` : `{"id":${quote(id)},"path":${quote(path)}}`

function mountPart(turn: Turn): string {
  const { mount } = turn
  if (!mount) return ''
  let text = mountTexts.get(mount)
  if (text === undefined) {
    const { path, accessor, class: mountClass } = mount.entry
    const type = shownType(mount.entry)
    text =
      `,"mount_point":${quote(path)},"mount_type":${quote(type)},"mount_accessor":${quote(accessor)}` +
      `,"mount_class":"${mountClass}"`
    mountTexts.set(mount, text)
  }
  return text
}

/** Through which mount with which token: the same in each request that a client makes there. */
function placePart(turn: Turn, { hasher, hashAccessor }: DeviceView): string {
  const { request, token, ns } = turn
  let text = mountPart(turn)
  if (request.token !== undefined) text += `,"client_token":"${hasher.hash(request.token)}"`
  if (token?.accessor) {
    text += `,"client_token_accessor":${quote(hashAccessor ? hasher.hash(token.accessor) : token.accessor)}`
  }
  return `${text},"namespace":${namespacePart(ns)}`
}

function requestPart(turn: Turn, device: DeviceView, place: string): string {
  const { request } = turn
  const { hasher } = device
  let text = `{"id":"${request.id}","operation":"${turn.operation}"${place},"path":${quote(turn.path)}`
  if (turn.via !== undefined) text += `,"via":${quote(turn.via)}`
  const data = requestData(turn, device)
  if (data !== '') text += `,"data":{${data}}`
  text += `,"remote_address":${quote(request.remoteAddress)},"remote_port":${request.remotePort}`
  if (request.wrapTtlSeconds > 0) text += `,"wrap_ttl":${request.wrapTtlSeconds}`
  const headers = headersPart(device.headers, request.rawHeaders, hasher)
  if (headers !== '') text += `,${headers}`
  return `${text}}`
}

/** Keys that the mount was told to leave are clear wherever they stand, as in Vault. */
function requestData({ request, match, mount }: Turn, { hasher }: DeviceView): string {
  const tuned = mount?.entry.config.audit_non_hmac_request_keys
  const clear = tuned ? new Set(tuned) : NOTHING
  const parts: string[] = []
  for (const [name, value] of Object.entries(request.data)) {
    if (value === undefined) continue
    const shown = clear.has(name) || isClear(match, name, value)
    parts.push(`${quote(name)}:${shown ? quote(value) : hasher.text(value, clear)}`)
  }
  return parts.join(',')
}

/** What an endpoint declares clear is clear as its field, not inside another, and if it fits. */
function isClear(match: Turn['match'], name: string, value: unknown): boolean {
  const fields = match?.endpoint.fields
  const field = fields && Object.hasOwn(fields, name) ? fields[name] : undefined
  if (!field?.clear) return false
  try {
    field.parse(value)
    return true
  } catch {
    return false
  }
}

function clearInResponse(turn: Turn): ReadonlySet<string> {
  const tuned = turn.mount?.entry.config.audit_non_hmac_response_keys
  return tuned ? new Set(tuned) : NOTHING
}

function responsePart(turn: Turn, device: DeviceView): string {
  const { reply } = turn
  let text = `{${mountPart(turn).slice(1)}`
  const add = (part: string) => (text += text.length > 1 ? `,${part}` : part)
  if (!reply) return `${text}}`
  if (reply.auth) add(`"auth":${issuedPart(reply.auth, device)}`)
  if (reply.leased) add(`"secret":{"lease_id":${quote(reply.leased.id)}}`)
  const data = dataPart(reply, turn, device)
  if (data) add(`"data":${data}`)
  if (reply.warnings?.length) add(`"warnings":${quote(reply.warnings)}`)
  if (reply.wrapInfo) add(`"wrap_info":${wrapPart(reply.wrapInfo, device)}`)
  return `${text}}`
}

function dataPart(reply: Reply, turn: Turn, device: DeviceView): string | undefined {
  const { hasher, elideLists } = device
  const clear = clearInResponse(turn)
  if (reply.envelope) return hasher.text(reply.envelope, clear)
  if (reply.raw)
    return hasher.text({ http_raw_body: Buffer.from(reply.raw.body).toString() }, clear)
  if (reply.bare !== undefined) return hasher.text(reply.bare, clear)
  if (reply.data === undefined) return undefined
  const { data } = reply
  if (elideLists && isListing(turn.operation) && !(data instanceof JsonText)) {
    const keys = data['keys']
    if (Array.isArray(keys)) return `{"keys":${keys.length}}`
  }
  return hasher.text(data, clear)
}

const CLEAR_AUTH = new Set([
  'policies',
  'token_policies',
  'identity_policies',
  'metadata',
  'lease_duration',
  'renewable',
  'entity_id',
  'token_type',
  'orphan',
  'num_uses',
])
const CLEAR_WRAP = new Set(['ttl', 'creation_time', 'creation_path'])
const ACCESSORS: ReadonlySet<string> = new Set(['accessor', 'wrapped_accessor'])

/** What is said of an issued token, the token itself and its accessor hashed. */
const issuedPart = (auth: Record<string, unknown>, device: DeviceView) =>
  madePart(auth, CLEAR_AUTH, device)

const wrapPart = (info: Record<string, unknown>, device: DeviceView) =>
  madePart(info, CLEAR_WRAP, device)

function madePart(
  made: Record<string, unknown>,
  clear: ReadonlySet<string>,
  { hasher, hashAccessor }: DeviceView,
): string {
  return hasher.text(made, hashAccessor ? clear : clear.union(ACCESSORS))
}
