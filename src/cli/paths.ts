/** Paths as people type them: slashes at either end are noise. */

export function trimSlashes(path: string): string {
  return path.trim().replace(/^\/+|\/+$/g, '')
}

/** `kv` and `/kv/` are both `kv/`, as mounts are named. */
export function withSlash(path: string): string {
  return `${trimSlashes(path)}/`
}

/** Joins parts with single slashes; an empty part leaves nothing behind. */
export function joinPath(...parts: readonly string[]): string {
  return parts
    .join('/')
    .replace(/\/{2,}/g, '/')
    .replace(/^\/|\/$/g, '')
}
