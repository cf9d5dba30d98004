/**
 * A request that is refused for its form (its path, its headers, its body) never becomes a request
 * of the API. It leaves its two lines in the audit log all the same: probing shows.
 */
import { type Verb } from '../kit/engine.ts'
import { type Failure } from '../kit/failure.ts'
import { rfc3339 } from '../lib/clock.ts'
import { type DeviceView } from './audit.ts'
import { type Core } from './core.ts'

export type RefusedRequest = {
  readonly id: string
  readonly verb: Verb
  /** As it came, in whatever form. */
  readonly path: string
  readonly token: string | undefined
  readonly remoteAddress: string
  readonly remotePort: number
}

/** A line is no place for megabytes of nonsense. */
const PATH_CHARS_MAX = 1_024
const quote = (value: unknown) => JSON.stringify(value)

/** Rejects with audit_failed when no device takes it. Nothing is open to write to while sealed. */
export async function auditRefused(
  core: Core,
  request: RefusedRequest,
  failure: Failure,
): Promise<void> {
  const tx = await core.begin(false)
  if (!tx) return
  await core.audit.follow(tx)
  const time = rfc3339(core.clock.now())
  const line = (type: string) => (device: DeviceView) =>
    `{"time":"${time}","type":"${type}"${asked(request, device)}` +
    `${type === 'response' ? ',"response":{}' : ''},"error":${quote(failure.message)}`
  const asking = core.audit.record(line('request'))
  await core.audit.record(line('response'))
  await asking
}

function asked(request: RefusedRequest, { hasher }: DeviceView): string {
  const { id, verb, path, token, remoteAddress, remotePort } = request
  const results = '"policy_results":{"allowed":false}'
  const hashed = token === undefined ? undefined : `"client_token":"${hasher.hash(token)}"`
  const operation = verb === 'write' ? 'update' : verb
  return (
    (hashed ? `,"auth":{${hashed},${results}}` : '') +
    `,"request":{"id":"${id}","operation":"${operation}"${hashed ? `,${hashed}` : ''}` +
    `,"path":${quote(path.slice(0, PATH_CHARS_MAX))}` +
    `,"remote_address":${quote(remoteAddress)},"remote_port":${remotePort}}`
  )
}
