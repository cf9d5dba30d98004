/**
 * Finds out which mount a path is on and which KV version speaks there, asking the server once per
 * mount.
 */
import { DeniedError, InvalidRequestError, MissingError } from './errors.ts'
import { type Answer, type Call, type CallOptions } from './http.ts'

/** `rest` is the path below the mount; `mount` has no slash at its end. */
export type Place = { mount: string; rest: string; version: 1 | 2 }

export type Mounts = {
  locate(path: string, options?: CallOptions): Promise<Place>
  /** Drops what is known of a mount: it answered as if it were another. */
  forget(mount: string): void
}

export function createMounts(call: (call: Call) => Promise<Answer>): Mounts {
  const versions = new Map<string, 1 | 2>()
  const asking = new Map<string, Promise<unknown>>()

  /** No mount lies below another, so at most one known mount fits. */
  const known = (path: string): Place | undefined => {
    for (const [mount, version] of versions) {
      if (path === mount || path.startsWith(`${mount}/`)) {
        return { mount, rest: path.slice(mount.length + 1), version }
      }
    }
    return undefined
  }

  return {
    async locate(path, options = {}) {
      const first = path.split('/', 1).join()
      // Of many reads at once the first asks, the others wait to see if its answer serves them too.
      // No await when nobody asks: it would let all of them through at once.
      const asked = asking.get(first)
      if (asked) await asked.catch(() => {})
      const place = known(path)
      if (place) return place
      const answer = preflight(call, path, options)
      asking.set(first, answer)
      try {
        const found = await answer
        if (found) versions.set(found.mount, found.version)
      } finally {
        if (asking.get(first) === answer) asking.delete(first)
      }
      // A policy may forbid the question. Then the usual: one segment, version 2.
      return known(path) ?? { mount: first, rest: path.slice(first.length + 1), version: 2 }
    },
    forget: (mount) => void versions.delete(mount),
  }
}

async function preflight(
  call: (call: Call) => Promise<Answer>,
  path: string,
  options: CallOptions,
): Promise<{ mount: string; version: 1 | 2 } | undefined> {
  try {
    const asked = `sys/internal/ui/mounts/${path}`
    const { body } = await call({ ...options, method: 'GET', path: asked })
    const data = Object(body?.['data']) as {
      path?: unknown
      options?: { version?: unknown } | null
    }
    if (typeof data.path !== 'string') return undefined
    const version = String(data.options?.version) === '2' ? 2 : 1
    return { mount: data.path.replace(/\/$/, ''), version }
  } catch (error) {
    const isAnswer = [DeniedError, MissingError, InvalidRequestError].some(
      (e) => error instanceof e,
    )
    if (isAnswer) return undefined
    throw error
  }
}
