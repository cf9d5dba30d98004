/**
 * Paths of mounts as callers name them and as the table has them, and where a new mount may be.
 * One path has one spelling, and no mount lies within another: what a policy says about a path is
 * then about one mount.
 */
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type MountEntry } from '../mounts.ts'
import { policyPathOf, turnOf } from '../turn.ts'

export type MountClass = MountEntry['class']

const PATH_CHARS_MAX = 512
const AUTH = 'auth/'
/** First segments that are the server's own. */
const RESERVED = new Set(['sys', 'auth', 'cubbyhole', 'identity', 'audit'])
/** Types of which there is exactly one mount, for ever. */
const SINGLE_TYPES = new Set(['system', 'cubbyhole', 'identity', 'token'])

/** `kv` and `kv/` are the mount `kv/`; the auth mount `ldap` is `auth/ldap/`. */
export function tablePath(path: string, kind: MountClass): string {
  return `${kind === 'auth' ? AUTH : ''}${path.replace(/\/$/, '')}/`
}

/** As its own kind of list names it: auth mounts without their `auth/`. */
export function listedPath({ class: kind, path }: Pick<MountEntry, 'class' | 'path'>): string {
  return kind === 'auth' ? path.slice(AUTH.length) : path
}

export const isSingleType = (type: string): boolean => SINGLE_TYPES.has(type)

/** Neither moved nor disabled. The entry may be of a type this build does not know. */
export const isFixed = (entry: MountEntry): boolean => isSingleType(entry.type)

/** `kv/tune` is the tuning of `kv`; undefined when the path is that of a mount. */
export function tunedPath(path: string): string | undefined {
  return /^(.+)\/tune\/?$/.exec(path)?.[1]
}

/** Refuses a path that no new or moved mount may have. `others` are all mounts but itself. */
export function checkNewPath(
  path: string,
  kind: MountClass,
  options: {
    others: readonly Pick<MountEntry, 'path' | 'class'>[]
    verb: 'mount' | 'remount to'
  },
): void {
  const listed = listedPath({ class: kind, path })
  const first = path.slice(0, path.indexOf('/'))
  if (kind === 'secret' && RESERVED.has(first)) refuse(`cannot ${options.verb} "${path}"`)
  checkSpelling(listed)
  const taken = options.others.find(
    (other) => other.path.startsWith(path) || path.startsWith(other.path),
  )
  if (taken) refuse(`path is already in use at ${listedPath(taken)}`)
}

/** The path is canonical already. Here: readable by people, and sayable in a policy. */
function checkSpelling(path: string): void {
  const segments = path.slice(0, -1).split('/')
  const strange =
    path.length > PATH_CHARS_MAX ||
    /[\p{Default_Ignorable_Code_Point}*]/u.test(path) ||
    path.normalize('NFKC') !== path ||
    segments.some((part) => part === '' || part === '+' || part !== part.trim())
  if (strange) {
    refuse(
      `a mount path must be at most ${PATH_CHARS_MAX} plain characters without '*', ` +
        "segments that are '+', or blanks around a segment",
    )
  }
  if (segments.length > 1 && segments.at(-1) === 'tune') {
    refuse("a mount path must not end in '/tune', which names the tuning of the mount above it")
  }
}

/**
 * The ACL has judged the path as it was asked for. Where a handler takes that as another spelling
 * of `path`, the caller must be allowed to come by this one too: a rule about it would otherwise
 * be evaded by adding a slash or a blank.
 */
export function requireSpelling(call: Call<never>, path: string): void {
  const turn = turnOf(call)
  if (path === turn.path) return
  const { request, operation, kind } = turn
  const { wrapTtlSeconds, data } = request
  const asNamed = policyPathOf(turn, path)
  const verdict = turn.acl?.check({ path: asNamed, operation, data, wrapTtlSeconds })
  if (verdict?.allowed && (kind !== 'sudo' || verdict.sudo)) return
  turn.allowed = false
  throw new Failure('permission_denied', undefined, { wrapped: true })
}

/** As above, where the one spelling is that without a slash at the end. */
export function requirePlainPath(call: Call<never>): void {
  requireSpelling(call, turnOf(call).path.replace(/\/$/, ''))
}
