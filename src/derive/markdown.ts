/** `docs/reference/api/<type>.md`: one page per engine, generated from its declaration. */
import { type Endpoint, type Engine } from '../kit/engine.ts'
import { type Field } from '../schema/field.ts'
import {
  accessTo,
  bodyFields,
  captures,
  METHOD,
  shownEndpoints,
  typeName,
  verbsOf,
} from './described.ts'

/** The file's name without its folder: `kv-v2.md`, `auth-approle.md`. */
export function pageName({ type, class: of, version }: Engine): string {
  return `${of === 'auth' ? 'auth-' : ''}${type}${version ? `-v${version}` : ''}.md`
}

/** The page. `mountedAt` is the path its examples are written with, e.g. `secret/`. */
export function enginePage(engine: Engine, mountedAt: string): string {
  const kind = engine.class === 'auth' ? ' (auth method)' : ''
  const title = `${engine.type}${kind}${engine.version ? ` version ${engine.version}` : ''}`
  const parts = [
    `# ${title}`,
    engine.help,
    `Paths are written as they are under \`/v1/${mountedAt}\`. This page is generated from the` +
      ' declarations of the engine.',
    ...shownEndpoints(engine).map((endpoint) => section(endpoint, mountedAt)),
  ]
  return `${parts.join('\n\n')}\n`
}

function section(endpoint: Endpoint, mountedAt: string): string {
  const path = `${mountedAt}${endpoint.path}`
  const parts = [`## \`${path}\``, endpoint.help]
  if (endpoint.description) parts.push(endpoint.description)
  parts.push(operations(endpoint))
  const fields = parameters(endpoint)
  if (fields) parts.push(fields)
  if (endpoint.anyBody) parts.push('The body may be any JSON object.')
  if (endpoint.example) {
    parts.push(`\`\`\`json\n${JSON.stringify(endpoint.example, null, 2)}\n\`\`\``)
  }
  return parts.join('\n\n')
}

const ACCESS = { public: 'none', login: 'none', ordinary: 'yes', sudo: 'yes, with sudo' } as const

function operations(endpoint: Endpoint): string {
  const rows = verbsOf(endpoint).map(
    (verb) => `| ${METHOD[verb]} | ${verb} | ${ACCESS[accessTo(endpoint, verb)]} |`,
  )
  return ['| Method | Operation | Token |', '| --- | --- | --- |', ...rows].join('\n')
}

function parameters(endpoint: Endpoint): string | undefined {
  const inPath = captures(endpoint.path).flatMap((name) => {
    const field = endpoint.fields[name]
    return field ? [[name, field] as const] : []
  })
  const all = [...inPath, ...bodyFields(endpoint)]
  if (all.length === 0) return undefined
  const rows = all.map(([name, field]) => row(name, field))
  return ['| Parameter | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  )
}

function row(name: string, field: Field<unknown>): string {
  const marks = [
    ...(field.required !== undefined ? ['required'] : []),
    ...(field.deprecated ? ['deprecated'] : []),
    ...(field.sensitive ? ['never read back'] : []),
  ]
  const note = marks.length > 0 ? ` (${marks.join(', ')})` : ''
  const fallback = field.fallback === undefined ? '' : `\`${JSON.stringify(field.fallback)}\``
  return `| \`${name}\` | ${typeName(field)} | ${cell(fallback)} | ${cell(field.help)}${note} |`
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
