/** Tells a hook of every secret value that comes in, so that a scrubber knows what to look for. */
import { type Secret } from '../lib/secret.ts'
import { type Reply } from './reply.ts'

/** The label says where the value was (`secret/db#password v7`, `token`) and is not secret. */
export type OnSecret = (value: string, label: string) => void

export function createOnSecret(hook: OnSecret = () => {}) {
  const token = (secret: Secret) => hook(secret.reveal(), secret.label ?? 'token')
  const data = (fields: Record<string, unknown>, label: string, version?: number) => {
    for (const [name, value] of leaves(fields)) {
      hook(value, `${label}#${name}${version === undefined ? '' : ` v${version}`}`)
    }
  }
  return {
    token,
    data,
    /** Of other replies only tokens and credentials: names of mounts are no secrets. */
    reply({ auth, wrapInfo, leaseId, generation, data: fields }: Reply, path: string): void {
      if (auth) token(auth.token)
      if (wrapInfo) token(wrapInfo.token)
      if (!fields) return
      if (leaseId !== undefined) data(fields, path)
      else if (ROTATED.test(path)) data(passwordsIn(fields), path, generation)
    },
  }
}

/** Credentials that the server rotates have no lease. */
const ROTATED = /(?:^|\/)static-creds?\/[^/]+$/
/** What stands beside them says when, and for whom. */
const BESIDE = /^(?:username|dn|ttl|last_.*|rotation_.*|next_.*)$/

const passwordsIn = (fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !BESIDE.test(name)))

/** Every text and number in the data, with its name: `outer/inner` for a field of a field. */
function* leaves(value: object, above = ''): Generator<[name: string, value: string]> {
  for (const [key, entry] of Object.entries(value) as [string, unknown][]) {
    const name = above + key
    if (typeof entry === 'object' && entry !== null) yield* leaves(entry, `${name}/`)
    else if (typeof entry === 'string' && entry !== '') yield [name, entry]
    else if (typeof entry === 'number' || typeof entry === 'bigint') yield [name, String(entry)]
  }
}
