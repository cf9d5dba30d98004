/** The `seal` block: who holds the root key. */
import { type StaticKey } from '../barrier/seal.ts'
import { SHAMIR_KEYS, STATIC_KEYS } from './config-keys.ts'
import { BadValue } from './config-kinds.ts'
import { quoted, type Report } from './config-report.ts'
import { readSealKey } from './config-seal-key.ts'
import { inside, nameOf, type Placed, placeOf, readTable, type Scope } from './config-table.ts'

/** Of `static`, the key to seal with comes first, then those that may still open the store. */
export type SealConfig = { type: 'shamir' } | { type: 'static'; keys: StaticKey[] }

export type SealOptions = {
  report: Report
  env: Readonly<Record<string, string | undefined>>
  /** Whether group or others may read the file; asked when it holds a key itself. */
  readableByOthers(file: string): boolean
}

/** Without a block the seal is Shamir's; undefined after a problem was told. */
export function readSeal(blocks: readonly Placed[], options: SealOptions): SealConfig | undefined {
  const { report } = options
  const [placed, second] = blocks
  if (placed === undefined) return { type: 'shamir' }
  if (second !== undefined) {
    report.problem(placeOf(second), 'a second seal is given', 'one seal')
    return undefined
  }
  const items = inside(placed)
  const [type, ...more] = placed.item.labels
  if (items === undefined || type === undefined || more.length > 0) {
    report.problem(placeOf(placed), '"seal" has another form', 'seal "static" { … }')
    return undefined
  }
  const scope = { report, name: `seal ${quoted(type)}`, place: placeOf(placed) }
  if (type === 'static') return readStatic(items, scope, options)
  if (type === 'shamir') {
    readTable(SHAMIR_KEYS, items, scope)
    return { type: 'shamir' }
  }
  report.problem(scope.place, `${scope.name} is not in this build`, 'seal "static" or "shamir"')
  return undefined
}

function readStatic(
  items: readonly Placed[],
  scope: Scope,
  options: SealOptions,
): SealConfig | undefined {
  const { values, given, place } = readTable(STATIC_KEYS, items, scope)
  const { report } = options

  function key(name: 'current_key' | 'previous_key'): Buffer | undefined {
    const source = values[name]
    if (source === undefined) return undefined
    try {
      const { bytes, inline } = readSealKey(source, options.env)
      if (inline && options.readableByOthers(place(name).file)) {
        const told = `${nameOf(name, scope)} stands in a file that group or others can read`
        report.warning(place(name), told)
      }
      return bytes
    } catch (error) {
      if (!(error instanceof BadValue) || !error.wrong || !error.expected) throw error
      report.problem(place(name), `${nameOf(name, scope)} ${error.wrong}`, error.expected)
      return undefined
    }
  }

  const current = key('current_key')
  const previous = key('previous_key')
  const { current_key_id: currentId, previous_key_id: previousId } = values
  for (const [has, lacks] of [
    ['previous_key', 'previous_key_id'],
    ['previous_key_id', 'previous_key'],
  ] as const) {
    if (values[has] === undefined || given(lacks)) continue
    report.problem(place(has), `${nameOf(has, scope)} stands alone`, `${lacks} beside it`)
  }
  if (currentId !== undefined && currentId === previousId) {
    const told = `${nameOf('previous_key_id', scope)} is the current key's`
    report.problem(place('previous_key_id'), told, 'another id for each key')
  }
  if (current === undefined || currentId === undefined) return undefined
  const keys = [{ id: currentId, key: current }]
  if (previous && previousId !== undefined) keys.push({ id: previousId, key: previous })
  return { type: 'static', keys }
}
