/** What the derived texts have in common: mounts, and the endpoints of an engine as a reader sees them. */
import { type Endpoint, type Engine, type Verb } from '../kit/engine.ts'
import { type Field } from '../schema/field.ts'

/** An engine where it is mounted; `path` ends in a slash. */
export type DescribedMount = { readonly path: string; readonly engine: Engine }

export const VERBS: readonly Verb[] = ['read', 'list', 'scan', 'write', 'patch', 'delete']

export const METHOD: Readonly<Record<Verb, string>> = {
  read: 'GET',
  list: 'LIST',
  scan: 'SCAN',
  write: 'POST',
  patch: 'PATCH',
  delete: 'DELETE',
}

export const verbsOf = (endpoint: Endpoint) => VERBS.filter((verb) => endpoint[verb] !== undefined)

/** Names of the captures of a path, in their order. */
export function captures(path: string): string[] {
  return path
    .split('/')
    .filter((part) => part.startsWith(':'))
    .map((part) => part.slice(1).replace('*', ''))
}

/** `role/:name/secret-id` as `role/{name}/secret-id`. */
export const bracedPath = (path: string) => path.replace(/:([A-Za-z0-9_]+)\*?/g, '{$1}')

/** The endpoints that are part of the API, in the order of their paths. */
export function shownEndpoints(engine: Engine): Endpoint[] {
  return engine.endpoints
    .filter((endpoint) => !endpoint.hidden)
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Fields that a request brings beside its path. */
export function bodyFields(endpoint: Endpoint): [string, Field<unknown>][] {
  const inPath = new Set(captures(endpoint.path))
  return Object.entries(endpoint.fields).filter(([name]) => !inPath.has(name))
}

/** The type of a field in one word. */
export function typeName(field: Field<unknown>): string {
  const { type, format, items } = field.schema as { type?: string; format?: string; items?: object }
  if (format === 'duration') return 'duration'
  if (type === 'array') return `list of ${(items as { type?: string })?.type ?? 'any'}s`
  return type ?? 'any'
}

/** Which verbs of an endpoint ask for more, or less, than a policy that grants the operation. */
export function accessTo(endpoint: Endpoint, verb: Verb): 'public' | 'login' | 'ordinary' | 'sudo' {
  const { access = 'ordinary', accessFor } = endpoint
  return accessFor && !accessFor.includes(verb) ? 'ordinary' : access
}
