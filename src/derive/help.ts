/** The answer to `?help=1`: what a path takes, as text for people and as OpenAPI for programs. */
import { type Endpoint } from '../kit/engine.ts'
import {
  accessTo,
  bodyFields,
  captures,
  type DescribedMount,
  METHOD,
  shownEndpoints,
  typeName,
  verbsOf,
} from './described.ts'
import { openapi, type OpenapiOptions } from './openapi.ts'

export type HelpBody = { help: string; see_also: string[]; openapi: Record<string, unknown> }

/** Help for one endpoint, or for the whole mount when there is no endpoint for the path. */
export function helpBody(
  mount: DescribedMount,
  at: { path: string; endpoint?: Endpoint | undefined },
  options: OpenapiOptions,
): HelpBody {
  const { endpoint, path } = at
  const shown = endpoint && !endpoint.hidden && path !== mount.path ? endpoint : undefined
  const engine = shown ? { ...mount.engine, endpoints: [shown] } : mount.engine
  return {
    help: shown ? endpointHelp(path, shown) : mountHelp(mount),
    see_also: shown ? [mount.path] : [],
    openapi: openapi([{ ...mount, engine }], options),
  }
}

function mountHelp({ engine, path }: DescribedMount): string {
  const lines = [`## ${path}`, '', engine.help, '', '## PATHS', '']
  for (const endpoint of shownEndpoints(engine)) {
    lines.push(`    ${endpoint.path || '(the mount itself)'}`, `        ${endpoint.help}`, '')
  }
  lines.push('Ask for help on any of these paths to see its parameters.')
  return `${lines.join('\n')}\n`
}

function endpointHelp(path: string, endpoint: Endpoint): string {
  const lines = [`Request:  ${path}`, `Path:     ${endpoint.path}`, '', endpoint.help, '']
  if (endpoint.description) lines.push(endpoint.description, '')
  lines.push('## OPERATIONS', '')
  for (const verb of verbsOf(endpoint)) {
    lines.push(`    ${METHOD[verb].padEnd(7)} ${ACCESS[accessTo(endpoint, verb)]}`)
  }
  const parameters = parameterLines(endpoint)
  if (parameters.length > 0) lines.push('', '## PARAMETERS', '', ...parameters)
  return `${lines.join('\n').trimEnd()}\n`
}

const ACCESS = {
  public: 'needs no token',
  login: 'needs no token, and gives one',
  ordinary: 'needs a policy that grants it',
  sudo: 'needs a policy that grants it with sudo',
} as const

function parameterLines(endpoint: Endpoint): string[] {
  const inPath = captures(endpoint.path).flatMap((name) => {
    const field = endpoint.fields[name]
    return field ? [[name, field] as const] : []
  })
  return [...inPath, ...bodyFields(endpoint)].flatMap(([name, field]) => [
    `    ${name} (${typeName(field)})${field.deprecated ? ', deprecated' : ''}`,
    `        ${field.help}${defaultText(field.fallback)}`,
    '',
  ])
}

function defaultText(fallback: unknown): string {
  if (fallback === undefined || fallback === '') return ''
  const text = JSON.stringify(fallback)
  return text === '[]' || text === '{}' ? '' : ` Default: ${text}.`
}
