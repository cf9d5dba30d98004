/**
 * Where a KV secret is: which mount, which version of the engine, which path below it. The server
 * is asked first, because `secret/app` means `secret/data/app` only on version 2.
 */
import { isObject } from '../../../lib/json.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, flag } from '../../command.ts'
import { refusedWith } from '../../http/api.ts'
import { joinPath, trimSlashes } from '../../paths.ts'

export type Place = {
  readonly v2: boolean
  /** The path to ask for: with `data`, `metadata`, … after the mount on version 2. */
  readonly full: (prefix: string) => string
}

export const mountFlag = flag.string(
  'Mount of the engine; the argument is then the path below it, which is the clear way.',
)

export const keyArg = {
  name: 'path',
  help: 'Path of the secret: below -mount, or with the mount in front.',
} as const

/** Finds the mount of `path`, in `-mount` or at the front of the path itself. */
export async function locate(
  at: Pick<Context, 'api'>,
  path: string,
  mount: string | undefined,
): Promise<Place> {
  const key = trimSlashes(path)
  if (mount !== undefined && mount !== '') {
    const found = await preflight(at, trimSlashes(mount))
    const base = found.mount === '' ? trimSlashes(mount) : found.mount
    return place(found.v2, base, key)
  }
  const found = await preflight(at, key)
  if (!found.v2) return { v2: false, full: () => key }
  return place(true, ...split(found.mount, key))
}

/** A path with its mount, for what is about several mounts: no part of the API is put in between. */
export function underMount(mount: string | undefined, path: string): string {
  const bare = path.replace(/^\/+/, '')
  return mount === undefined || mount === '' ? bare : `${trimSlashes(mount)}/${bare}`
}

/** Throws what Vault says where only version 2 will do. */
export function needsVersion2(found: Place, message: string, exit = 1): void {
  if (found.v2) return
  throw new CliError(message, { exit, hint: 'kv enable-versioning makes a mount version 2' })
}

function place(v2: boolean, mount: string, below: string): Place {
  return { v2, full: (prefix) => (v2 ? joinPath(mount, prefix, below) : joinPath(mount, below)) }
}

/**
 * Splits the path behind the mount. The mount may start with a namespace that the path does not
 * have, so leading segments of it are dropped until it fits.
 */
function split(mount: string, path: string): [mount: string, below: string] {
  const segments = trimSlashes(mount).split('/')
  for (let from = 0; from < segments.length; from++) {
    const tail = segments.slice(from).join('/')
    if (path === tail) return [tail, '']
    if (path.startsWith(`${tail}/`)) return [tail, path.slice(tail.length + 1)]
  }
  return [trimSlashes(mount), path]
}

async function preflight(
  at: Pick<Context, 'api'>,
  path: string,
): Promise<{ mount: string; v2: boolean }> {
  try {
    const secret = await at.api.secret({
      method: 'GET',
      path: `sys/internal/ui/mounts/${path}`,
      doing: '',
      aside: true,
    })
    const { path: mount, options } = secret?.data ?? {}
    const v2 = isObject(options) && options['version'] === '2'
    return { mount: typeof mount === 'string' ? mount : '', v2 }
  } catch (error) {
    // A server that does not know the question has no version 2 either.
    if (refusedWith(error, 404)) return { mount: '', v2: false }
    throw error
  }
}
