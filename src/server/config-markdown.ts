/** The reference of the configuration language as Markdown, from the tables the reader reads by. */
import { CONFIG_TABLES } from './config-keys.ts'
import { type Key, type ReadKey, type Table } from './config-table.ts'

/** The whole page, ending with a newline. The same tables give the same text. */
export function configMarkdown(): string {
  const parts = [
    '# Server configuration',
    'Every key that `coffer server -config=…` reads, in HCL or JSON. How to use it is told in' +
      ' [the guide](../operate/config.md).',
    ...CONFIG_TABLES.flatMap(({ form, help, table }) => [
      form === '' ? '## Top level' : `## \`${form}\``,
      help,
      ...readSection(table),
    ]),
    '## Variables',
    'A variable that is set wins over the files.',
    variables(CONFIG_TABLES.map(({ table }) => table)),
    '## Keys of Vault and OpenBao that are ignored',
    'Leaving these out changes nothing that matters here. The server warns and starts.',
    ...unsupported('ignored'),
    '## Keys of Vault and OpenBao that are refused',
    'Without these the server would be less safe than its configuration says. It does not start.',
    ...unsupported('refused'),
  ]
  return `${parts.join('\n\n')}\n`
}

function readSection(table: Table): string[] {
  const rows = Object.entries(table).flatMap(([name, key]) => {
    if (key.use === 'read') return [[code(name), key.kind.name, standing(key), key.help]]
    return key.use === 'block' ? [[code(name), 'block', `\`${key.form}\``, key.help]] : []
  })
  return rows.length === 0 ? ['No keys.'] : [grid(['key', 'type', 'default', 'meaning'], rows)]
}

function standing(key: ReadKey<unknown>): string {
  if (key.required !== undefined) return 'required'
  const { fallback } = key
  if (fallback === undefined || fallback === '') return ''
  if (key.kind.name === 'duration') return code(`${JSON.stringify(fallback)}s`)
  if (typeof fallback === 'object' && fallback !== null && 'port' in fallback) {
    const { host, port } = fallback as { host: string; port: number }
    return code(`${host}:${port}`)
  }
  return code(typeof fallback === 'string' ? fallback : JSON.stringify(fallback))
}

function variables(tables: readonly Table[]): string {
  const rows = tables.flatMap((table) =>
    Object.entries(table).flatMap(([name, key]) =>
      key.use === 'read' ? (key.env ?? []).map((variable) => [code(variable), code(name)]) : [],
    ),
  )
  return grid(['variable', 'key'], rows)
}

function unsupported(use: 'ignored' | 'refused'): string[] {
  return CONFIG_TABLES.flatMap(({ form, table }) => {
    const rows = Object.entries(table).flatMap(([name, key]) => {
      const cells = unsupportedCells(key, use)
      return cells ? [[code(name), ...cells]] : []
    })
    if (rows.length === 0) return []
    const heads = use === 'ignored' ? ['key', 'why'] : ['key', 'why', 'instead']
    return [form === '' ? '### Top level' : `### \`${form}\``, grid(heads, rows)]
  })
}

function unsupportedCells(key: Key, use: 'ignored' | 'refused'): string[] | undefined {
  if (key.use === 'ignored' && use === 'ignored') return [key.why]
  return key.use === 'refused' && use === 'refused' ? [key.why, key.instead] : undefined
}

const code = (word: string) => `\`${word}\``

function grid(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
