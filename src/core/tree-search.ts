/**
 * Lists and searches secrets over mounts. A question about what is inside a secret is asked of those
 * secrets only that the caller may read, and the answer is paths, never values.
 */
import { isObject, isRawJson, parseJson } from '../lib/json.ts'
import { wildcardMatches } from '../lib/wildcard.ts'
import { type Newest } from '../kit/tree.ts'
import { asFolder, leavesOf, type Spot, type TreeView } from './tree-view.ts'

export type Search = {
  /** Where to begin; '' = all mounts. */
  path: string
  /** A pattern for the path below that, or for its last segment. */
  key: string | undefined
  /** A pattern for a field's name, at any depth. */
  field: string | undefined
  /** The text of a field's value, exactly. */
  value: string | undefined
  /** `name`, or `name=value`; patterns both. */
  metadata: string | undefined
  after: string | undefined
  limit: number
  now: number
}

/** Secrets that are opened for one answer; what comes after them is another question. */
const OPENED_MAX = 5_000

export type Found = { keys: string[]; next: string | null }

export async function search(view: TreeView, asked: Search): Promise<Found> {
  const starts =
    asked.path === ''
      ? (await view.roots()).map((spot) => ({ spot, prefix: spot.mount.entry.path }))
      : [{ spot: asFolder(await view.at(asked.path)), prefix: '' }]
  const keys: string[] = []
  let opened = 0
  let last: string | undefined
  for await (const { spot, path } of leavesOf(view, starts, { after: asked.after, note: true })) {
    const full = keys.length >= asked.limit || opened >= OPENED_MAX
    if (full) return { keys, next: last ?? null }
    last = path
    if (asked.key !== undefined && !keyMatches(asked.key, path)) continue
    if (looksInside(asked) && !(opened++, await insideMatches(view, spot, asked))) continue
    keys.push(path)
  }
  return { keys, next: null }
}

function keyMatches(pattern: string, path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return wildcardMatches(pattern, path) || wildcardMatches(pattern, name)
}

const looksInside = ({ field, value, metadata }: Search) =>
  field !== undefined || value !== undefined || metadata !== undefined

async function insideMatches(view: TreeView, spot: Spot, asked: Search): Promise<boolean> {
  const inData = asked.field !== undefined || asked.value !== undefined
  if (inData && !view.may(spot, 'read')) return false
  if (asked.metadata !== undefined && !view.may(spot, 'describe')) return false
  if (inData) view.note(spot, 'read')
  if (asked.metadata !== undefined) view.note(spot, 'describe')
  const newest = await spot.tree.newest(spot.store, spot.path, asked.now)
  if (!newest) return false
  if (asked.metadata !== undefined && !notesMatch(asked.metadata, newest)) return false
  if (!inData) return true
  return newest.text !== undefined && fieldMatches(parseJson(newest.text), asked)
}

function notesMatch(wanted: string, { notes }: Newest): boolean {
  const at = wanted.indexOf('=')
  const [name, value] = at < 0 ? [wanted, '*'] : [wanted.slice(0, at), wanted.slice(at + 1)]
  return Object.entries(notes ?? {}).some(
    ([key, text]) => wildcardMatches(name, key) && wildcardMatches(value, text),
  )
}

/** One field must have both the name and the value, where both are asked for. */
function fieldMatches(within: unknown, asked: Search): boolean {
  if (Array.isArray(within)) return within.some((each) => fieldMatches(each, asked))
  if (!isObject(within) || isRawJson(within)) return false
  return Object.entries(within).some(([name, value]) => {
    const named = asked.field === undefined || wildcardMatches(asked.field, name)
    if (named && (asked.value === undefined || valueIs(value, asked.value))) return true
    return fieldMatches(value, asked)
  })
}

function valueIs(value: unknown, wanted: string): boolean {
  if (Array.isArray(value)) return value.some((each) => valueIs(each, wanted))
  if (isRawJson(value)) return value.rawJSON === wanted
  return typeof value === 'string' ? value === wanted : JSON.stringify(value) === wanted
}
