/**
 * Which part of a list is answered: what the request asks for (`after`, `limit`), what its policies
 * allow (`pagination_limit`), and which names they show at all. Done here for every list there is,
 * so that no engine can forget it.
 */
import { refuse } from '../kit/failure.ts'
import { type Reply } from '../kit/reply.ts'
import { JsonText } from '../kit/json-text.ts'
import { compareBytes } from '../lib/bytewise.ts'
import { t } from '../schema/field.ts'
import { type Page } from '../storage/store.ts'
import { policyPathOf, type Turn } from './turn.ts'

const after = t.string({ help: '' })
const limit = t.int({ help: '' })

/** The ACL has refused a limit above the allowed one; where none is given, the allowed one holds. */
export function readPage({ request, listRules }: Turn): Page {
  const allowed = listRules.paginationLimit ?? 0
  const start = readOne('after', request.data['after'], (given) => after.parse(given) ?? '')
  const asked = readOne('limit', request.data['limit'], (given) =>
    given === 'max' ? 0 : (limit.parse(given) ?? 0),
  )
  const most = asked !== undefined && asked > 0 ? asked : 0
  const bound = allowed > 0 && (most === 0 || most > allowed) ? allowed : most
  return { ...(start && { after: start }), ...(bound > 0 && { limit: bound }) }
}

function readOne<T>(name: string, given: unknown, parse: (given: unknown) => T): T | undefined {
  if (given === undefined || given === null || given === '') return undefined
  try {
    return parse(given)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'not understood'
    return refuse(`Field validation failed: error converting input for field "${name}": ${why}`)
  }
}

/** Whether the engine may leave out what is not on the page: only if no name is hidden later. */
export const engineCuts = (turn: Turn): boolean => !turn.listRules.keysFilter && !prunes(turn)

/** A scan reaches into folders that the caller is denied to list; their names stay hidden. */
const prunes = ({ request, acl }: Turn) => request.verb === 'scan' && acl?.denies === true

/** Hides names that the caller may not see and cuts the rest to the page, in place. */
export function cutList(turn: Turn, reply: Reply): void {
  const { data } = reply
  if (!data || data instanceof JsonText || !Array.isArray(data['keys'])) return
  const all = data['keys'] as string[]
  const keys = cut(shown(turn, all), turn.page)
  if (keys.length === all.length) return
  const next: Record<string, unknown> = { ...data, keys }
  // Older lists say the same names under a second word.
  for (const [name, value] of Object.entries(data)) {
    if (name !== 'keys' && Array.isArray(value) && sameNames(value, all)) next[name] = keys
  }
  const { key_info: info } = data
  if (typeof info === 'object' && info !== null) {
    const kept = keys.filter((key) => Object.hasOwn(info, key))
    next['key_info'] = Object.fromEntries(
      kept.map((key) => [key, (info as Record<string, unknown>)[key]]),
    )
  }
  reply.data = next
}

const sameNames = (some: readonly unknown[], all: readonly string[]) =>
  some.length === all.length && some.every((name, i) => name === all[i])

/** Most lists are in order; in one that is not, a page goes on after the name it is told. */
function cut(keys: string[], { after: start, limit: most }: Page): string[] {
  let rest = keys
  if (start !== undefined) {
    const at = keys.indexOf(start)
    rest = at >= 0 ? keys.slice(at + 1) : keys.filter((key) => compareBytes(key, start) > 0)
  }
  return most === undefined ? rest : rest.slice(0, most)
}

function shown(turn: Turn, keys: string[]): string[] {
  const { acl, listRules } = turn
  const path = policyPathOf(turn, turn.path)
  const { keysFilter } = listRules
  let rest = keys
  if (prunes(turn)) {
    const known = new Map<string, boolean>()
    rest = rest.filter((key) => {
      const folder = key.slice(0, key.lastIndexOf('/') + 1)
      if (folder === '') return true
      let denied = known.get(folder)
      if (denied === undefined) known.set(folder, (denied = acl!.deniesFolder(path + folder)))
      return !denied
    })
  }
  if (!keysFilter || acl?.root) return rest
  return rest.filter((key) => {
    const operation = key.endsWith('/') ? 'list' : 'read'
    return acl?.check({ path: keysFilter(path, key), operation }).allowed === true
  })
}
