/** `docs/reference/coverage.md`: what of the published API description this build answers. */
import { type Engine } from '../src/kit/engine.ts'
import { coverage, type Covered } from './coverage.ts'

const STATUSES = ['implemented', 'refused', 'not yet'] as const

export function coveragePage(engines: readonly Engine[]): string {
  const all = coverage(engines)
  const groups = Map.groupBy(all, groupOf)
  return [
    '# Coverage of the Vault API',
    '',
    'Every operation that the published OpenAPI description of Vault 1.15 has, and what this build' +
      ' does about it. Generated: an operation counts as implemented when its path leads to an' +
      ' endpoint with a handler for its method. "Refused" is a decision, "not yet" is not. What an' +
      ' endpoint takes and answers is in [the API](api/README.md).',
    '',
    ...countTable(groups, all),
    '',
    '## What is not answered, and why',
    '',
    ...reasonTable(all),
    ...[...groups].flatMap(([name, operations]) => groupTable(name, operations)),
    '',
  ].join('\n')
}

/** `sys`, or the mount's place: `auth/approle`, `kv_v2`. */
function groupOf({ path }: Covered): string {
  const parts = mounted(path).split('/')
  return parts.slice(0, parts[0] === 'auth' ? 2 : 1).join('/')
}

/** `/{kv_v2_mount_path}/config` as `kv_v2/config`. */
const mounted = (path: string) => path.slice(1).replaceAll(/\{(\w+)_mount_path\}/g, '$1')

const count = (operations: readonly Covered[], status: Covered['status']) =>
  operations.filter((each) => each.status === status).length

function countTable(groups: ReadonlyMap<string, Covered[]>, all: readonly Covered[]): string[] {
  const row = (name: string, operations: readonly Covered[]) => {
    const counts = STATUSES.map((status) => count(operations, status))
    return `| ${[name, operations.length, ...counts].join(' | ')} |`
  }
  return [
    '| Part | Operations | Implemented | Refused | Not yet |',
    '| --- | --- | --- | --- | --- |',
    ...[...groups].map(([name, operations]) => row(`\`${name}\``, operations)),
    row('all', all),
  ]
}

function reasonTable(all: readonly Covered[]): string[] {
  const missing = all.filter(({ status }) => status !== 'implemented')
  const reasons = Map.groupBy(missing, ({ status, why }) => `${status} | ${why}`)
  return [
    '| Operations | | Why |',
    '| --- | --- | --- |',
    ...[...reasons].map(([told, operations]) => `| ${operations.length} | ${told} |`),
  ]
}

function groupTable(name: string, operations: readonly Covered[]): string[] {
  const rows = [...Map.groupBy(operations, ({ path }) => path)].map(([path, own]) => {
    const methods = STATUSES.map((status) =>
      own
        .filter((each) => each.status === status)
        .map(({ method }) => method)
        .join(' '),
    )
    return `| \`${mounted(path)}\` | ${methods.join(' | ')} |`
  })
  return [
    '',
    `## ${name}`,
    '',
    '| Path | Implemented | Refused | Not yet |',
    '| --- | --- | --- | --- |',
    ...rows,
  ]
}
