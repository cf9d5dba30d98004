/** `audit` blocks: devices that are there from the first unsealed moment. */
import { AUDIT_KEYS } from './config-keys.ts'
import { isHclObject } from '../lib/hcl.ts'
import { quoted, type Report } from './config-report.ts'
import { inside, type Placed, placeOf, readTable } from './config-table.ts'

/** `path` ends with a slash, as `sys/audit` shows it. */
export type AuditBlock = {
  type: string
  path: string
  description: string
  options: Record<string, string>
}

const FORM = 'audit "file" "name" { options { file_path = "…" } }'
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_./-]*$/

export function readAudit(blocks: readonly Placed[], report: Report): AuditBlock[] {
  const devices = new Map<string, Placed>()
  const found: AuditBlock[] = []
  for (const placed of blocks.flatMap(unfold)) {
    const device = readDevice(placed, report)
    if (device === undefined) continue
    const before = devices.get(device.path)
    if (before) {
      const told = `audit device ${quoted(device.path)} is given twice, first in`
      const { file, item } = before
      report.problem(placeOf(placed), `${told} ${file}:${item.line}`, 'a path of its own for each')
      continue
    }
    devices.set(device.path, placed)
    found.push(device)
  }
  return found
}

/** JSON knows no labels: `{"file": {"name": {…}}}` is a block with two, when no key is a device's. */
function unfold(placed: Placed): Placed[] {
  const { item } = placed
  const items = inside(placed)
  if (item.labels.length !== 1 || items === undefined || items.length === 0) return [placed]
  const paths = items.every(({ item: each }) => {
    return isHclObject(each.value) && !Object.hasOwn(AUDIT_KEYS, each.key)
  })
  if (!paths) return [placed]
  return items.map(({ item: inner, file }) => ({
    file,
    item: { ...inner, key: item.key, labels: [...item.labels, inner.key, ...inner.labels] },
  }))
}

function readDevice(placed: Placed, report: Report): AuditBlock | undefined {
  const items = inside(placed)
  const [type = '', label, ...more] = placed.item.labels
  if (items === undefined || more.length > 0 || !NAME.test(type)) {
    report.problem(placeOf(placed), '"audit" has another form', FORM)
    return undefined
  }
  const name = ['audit', ...placed.item.labels.map(quoted)].join(' ')
  const scope = { report, name, place: placeOf(placed) }
  const { values, place } = readTable(AUDIT_KEYS, items, scope)
  if (label !== undefined && values.path !== undefined) {
    report.problem(place('path'), `${name} has a second path`, 'the path as label or as key')
    return undefined
  }
  const path = (label ?? values.path ?? type).replace(/\/+$/, '')
  if (!NAME.test(path) || path.split('/').some((part) => /^\.*$/.test(part))) {
    report.problem(
      place('path'),
      `${name} has a wrong path`,
      'letters, digits, "_", "-", "." or "/"',
    )
    return undefined
  }
  return { type, path: `${path}/`, description: values.description, options: values.options ?? {} }
}
