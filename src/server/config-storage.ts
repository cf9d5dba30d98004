/** The `storage` block, also called `backend`: which store, and where. */
import { join } from 'node:path'
import { FILE_KEYS, INMEM_KEYS, SQLITE_KEYS } from './config-keys.ts'
import { quoted, type Report } from './config-report.ts'
import { inside, type Placed, placeOf, readTable } from './config-table.ts'

export type StorageConfig = { type: 'sqlite'; path: string } | { type: 'inmem' }

const FORM = 'storage "sqlite" { path = "…" }'
const SUPPORTED = 'storage "sqlite", "file" (a folder with a SQLite file in it) or "inmem"'

/** Of several files the last block counts; undefined after a problem was told. */
export function readStorage(
  blocks: readonly Placed[],
  report: Report,
  file: string,
): StorageConfig | undefined {
  const last = blocks.at(-1)
  if (last === undefined) {
    report.problem({ file }, 'no storage is configured', FORM)
    return undefined
  }
  for (const placed of blocks) {
    if (placed === last || placed.file !== last.file) continue
    const told = `storage is given twice, first on line ${placed.item.line}`
    report.problem(placeOf(last), told, 'it once')
    return undefined
  }
  return readOne(last, report)
}

function readOne(placed: Placed, report: Report): StorageConfig | undefined {
  const items = inside(placed)
  const [type, ...more] = placed.item.labels
  if (items === undefined || type === undefined || more.length > 0) {
    report.problem(placeOf(placed), `${quoted(placed.item.key)} has another form`, FORM)
    return undefined
  }
  const scope = { report, name: `storage ${quoted(type)}`, place: placeOf(placed) }
  if (type === 'inmem') {
    readTable(INMEM_KEYS, items, scope)
    return { type: 'inmem' }
  }
  if (type === 'sqlite') {
    const { path } = readTable(SQLITE_KEYS, items, scope).values
    return path === undefined ? undefined : { type: 'sqlite', path }
  }
  if (type === 'file') {
    const { path } = readTable(FILE_KEYS, items, scope).values
    return path === undefined ? undefined : { type: 'sqlite', path: join(path, 'coffer.db') }
  }
  report.problem(placeOf(placed), `${scope.name} is not in this build`, SUPPORTED)
  return undefined
}
