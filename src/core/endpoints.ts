/**
 * From declarations to calls: finds the endpoint of a path (a trie, no regular expressions: the
 * most specific wins and order does not matter), and turns captures and body into typed data.
 */
import { type Endpoint, type Engine } from '../kit/engine.ts'
import { Failure } from '../kit/failure.ts'

type Node = { literals: Map<string, Node>; capture?: Node; rest?: Endpoint; endpoint?: Endpoint }

export type Match = {
  readonly endpoint: Endpoint
  readonly captures: Readonly<Record<string, string>>
}

export type Routes = {
  /** The endpoint of a path relative to the mount, or undefined. */
  match(path: string): Match | undefined
}

const compiled = new WeakMap<Engine, Routes>()

/** The routes of an engine; compiled once. Throws at start when two endpoints claim one path. */
export function routesOf(engine: Engine): Routes {
  const known = compiled.get(engine)
  if (known) return known
  const root: Node = { literals: new Map() }
  for (const endpoint of engine.endpoints) add(root, endpoint, engine.type)
  const routes: Routes = {
    match(path) {
      const captured: string[] = []
      const endpoint = walk(root, { path, at: 0 }, captured)
      return endpoint && { endpoint, captures: name(endpoint, captured) }
    },
  }
  compiled.set(engine, routes)
  return routes
}

function add(root: Node, endpoint: Endpoint, type: string): void {
  let node = root
  for (const part of segments(endpoint)) {
    if (part.endsWith('*')) {
      if (node.rest) throw new Error(`${type}: two endpoints claim ${endpoint.path}`)
      node.rest = endpoint
      return
    }
    if (part.startsWith(':')) {
      node = node.capture ??= { literals: new Map() }
    } else {
      let next = node.literals.get(part)
      if (!next) node.literals.set(part, (next = { literals: new Map() }))
      node = next
    }
  }
  if (node.endpoint) throw new Error(`${type}: two endpoints claim ${endpoint.path}`)
  node.endpoint = endpoint
}

const segments = (endpoint: Endpoint) => endpoint.path.split('/').filter((part) => part !== '')

/** Literal before capture before rest, stepping back when a branch leads nowhere. */
function walk(
  node: Node,
  from: { path: string; at: number },
  captured: string[],
): Endpoint | undefined {
  const { path, at } = from
  const done = at >= path.length
  if (done && node.endpoint) return node.endpoint
  if (!done) {
    const slash = path.indexOf('/', at)
    const part = slash < 0 ? path.slice(at) : path.slice(at, slash)
    const next = { path, at: slash < 0 ? path.length : slash + 1 }
    const literal = node.literals.get(part)
    const found = literal && walk(literal, next, captured)
    if (found) return found
    if (node.capture) {
      captured.push(part)
      const deeper = walk(node.capture, next, captured)
      if (deeper) return deeper
      captured.pop()
    }
  }
  if (node.rest) captured.push(path.slice(at))
  return node.rest
}

const captureNames = new WeakMap<Endpoint, string[]>()

function name(endpoint: Endpoint, captured: readonly string[]): Record<string, string> {
  if (captured.length === 0) return {}
  let names = captureNames.get(endpoint)
  if (!names) {
    names = segments(endpoint)
      .filter((part) => part.startsWith(':'))
      .map((part) => part.slice(1).replace('*', ''))
    captureNames.set(endpoint, names)
  }
  const values: Record<string, string> = {}
  for (let i = 0; i < names.length; i++) values[names[i]!] = captured[i]!
  return values
}

export type ParsedFields = {
  data: Record<string, unknown>
  given: ReadonlySet<string>
  warnings: string[]
}

/**
 * The data of a call. A capture that is not a name means the path does not exist; a body value
 * that cannot be read is a 400 that names the field and what was expected, never the value.
 */
export function parseFields(
  match: Match,
  body: Readonly<Record<string, unknown>>,
  { listing = false } = {},
): ParsedFields {
  const { endpoint, captures } = match
  const data: Record<string, unknown> = {}
  const given = new Set<string>()
  const replaced: string[] = []
  for (const name in endpoint.fields) {
    const field = endpoint.fields[name]!
    const captured = captures[name]
    if (captured !== undefined) {
      given.add(name)
      if (Object.hasOwn(body, name)) replaced.push(name)
      try {
        data[name] = field.parse(captured)
      } catch {
        throw new Failure('unsupported_path', undefined, { wrapped: true })
      }
      continue
    }
    if (!Object.hasOwn(body, name) || isUnset(body[name], field)) {
      if (field.required !== undefined) throw new Failure('bad_request', field.required)
      data[name] = field.fallback
      continue
    }
    given.add(name)
    try {
      data[name] = field.parse(body[name])
    } catch (error) {
      const why = error instanceof Error ? error.message : 'not understood'
      throw new Failure(
        'bad_request',
        `Field validation failed: error converting input for field "${name}": ${why}`,
      )
    }
  }
  return {
    data,
    given,
    warnings: endpoint.anyBody
      ? []
      : fieldWarnings(endpoint, listing ? withoutPage(body) : body, replaced),
  }
}

/** Clients send null for what they leave open; only in an object does it mean something. */
function isUnset(value: unknown, { schema }: Endpoint['fields'][string]): boolean {
  return value === null && schema['type'] !== undefined && schema['type'] !== 'object'
}

/** Which part of a list is wanted is for core: no endpoint declares it. */
function withoutPage(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !PAGE_FIELDS.has(name)))
}

const PAGE_FIELDS: ReadonlySet<string> = new Set(['after', 'limit'])

function fieldWarnings(
  endpoint: Endpoint,
  body: Readonly<Record<string, unknown>>,
  replaced: readonly string[],
): string[] {
  const warnings: string[] = []
  const unknown = Object.keys(body).filter((name) => !Object.hasOwn(endpoint.fields, name))
  if (unknown.length > 0) {
    warnings.push(`Endpoint ignored these unrecognized parameters: [${unknown.sort().join(' ')}]`)
  }
  if (replaced.length > 0) {
    warnings.push(
      "Endpoint replaced the value of these parameters with the values captured from the endpoint's" +
        ` path: [${replaced.join(' ')}]`,
    )
  }
  return warnings
}
