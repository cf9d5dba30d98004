/**
 * The API as an OpenAPI 3.0.2 document, in the shape Vault's tools read: everything in it comes
 * from the declarations, so it cannot say what the server does not do.
 */
import { type Endpoint, type Verb } from '../kit/engine.ts'
import { type Field } from '../schema/field.ts'
import {
  accessTo,
  bodyFields,
  bracedPath,
  captures,
  type DescribedMount,
  shownEndpoints,
  verbsOf,
} from './described.ts'

export type OpenapiOptions = {
  /** Of the server, as it reports it. */
  version: string
  /** Write mounts as `{kv_mount_path}`, each engine once: the document of a product, not a server. */
  genericMountPaths?: boolean
}

type Json = Record<string, unknown>

export function openapi(mounts: readonly DescribedMount[], options: OpenapiOptions): Json {
  const paths: Record<string, Json> = {}
  const schemas: Record<string, Json> = {}
  const taken = new Set<string>()
  for (const place of placesOf(mounts, options.genericMountPaths ?? false)) {
    for (const endpoint of shownEndpoints(place.engine)) {
      addEndpoint({ paths, schemas, taken, place, endpoint })
    }
  }
  return {
    openapi: '3.0.2',
    info: {
      title: 'coffer',
      description: 'HTTP API of a secrets server that Vault clients can talk to.',
      version: options.version,
    },
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
    components: { schemas },
  }
}

/** Where an engine is written down: its prefix in paths, and in the names of its operations. */
type Place = DescribedMount & { prefix: string; word: string; mountName?: string }

/** Those whose place in the API is fixed. */
const FIXED = new Set(['system', 'cubbyhole', 'identity', 'token'])

function placesOf(mounts: readonly DescribedMount[], generic: boolean): Place[] {
  const places = new Map<string, Place>()
  for (const mount of mounts) {
    const { engine, path } = mount
    const word = engine.version ? `${engine.type}-v${engine.version}` : engine.type
    if (!generic || FIXED.has(engine.type)) {
      const own = FIXED.has(engine.type) ? engine.type : slug(path)
      places.set(path, { ...mount, prefix: path, word: own })
      continue
    }
    const mountName = `${word.replaceAll('-', '_')}_mount_path`
    const base = engine.class === 'auth' ? 'auth/' : ''
    places.set(mountName, { ...mount, prefix: `${base}{${mountName}}/`, word, mountName })
  }
  return [...places.values()]
}

const slug = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')

type Adding = {
  paths: Record<string, Json>
  schemas: Record<string, Json>
  taken: Set<string>
  place: Place
  endpoint: Endpoint
}

/** A list has a path of its own with a slash at the end, as in Vault's document. */
function addEndpoint(adding: Adding): void {
  const { paths, place, endpoint } = adding
  const path = `/${place.prefix}${bracedPath(endpoint.path)}`
  const verbs = verbsOf(endpoint)
  // A scan is a list with another word in its query, so it stands with the list.
  const others = verbs.filter((verb) => verb !== 'list' && verb !== 'scan')
  if (others.length > 0) paths[path] = pathItem(adding, others)
  if (verbs.includes('list')) paths[`${path.replace(/\/$/, '')}/`] = pathItem(adding, ['list'])
}

function pathItem(adding: Adding, verbs: readonly Verb[]): Json {
  const { place, endpoint } = adding
  const parameters = captures(endpoint.path).map((name) => parameter(name, endpoint.fields[name]))
  if (place.mountName) {
    parameters.push({
      name: place.mountName,
      description: 'Where the engine is mounted.',
      in: 'path',
      required: true,
      schema: { type: 'string', default: place.path.replace(/^auth\//, '').replace(/\/$/, '') },
    })
  }
  const access = verbs.map((verb) => accessTo(endpoint, verb))
  const item: Json = {
    description: endpoint.description ?? endpoint.help,
    ...(parameters.length > 0 && { parameters }),
    ...(access.every((a) => a === 'sudo') && { 'x-vault-sudo': true }),
    ...(access.every((a) => a === 'public' || a === 'login') && {
      'x-vault-unauthenticated': true,
    }),
    ...(endpoint.exists && verbs.includes('write') && { 'x-vault-createSupported': true }),
  }
  for (const verb of verbs) item[METHOD_KEY[verb]] = operation(adding, verb)
  return item
}

const METHOD_KEY: Readonly<Record<Verb, string>> = {
  read: 'get',
  list: 'get',
  scan: 'get',
  write: 'post',
  patch: 'patch',
  delete: 'delete',
}

function parameter(name: string, field: Field<unknown> | undefined): Json {
  return {
    name,
    description: field?.help ?? '',
    in: 'path',
    required: true,
    schema: field?.schema ?? { type: 'string' },
  }
}

function operation(adding: Adding, verb: Verb): Json {
  const { place, endpoint } = adding
  const id = operationId(adding, verb)
  const made: Json = { summary: endpoint.help, operationId: id, tags: [tag(place)] }
  const parameters = queryParameters(endpoint, verb)
  if (parameters.length > 0) made['parameters'] = parameters
  if (verb === 'write' || verb === 'patch') {
    const body = requestBody(adding, id)
    const type = verb === 'patch' ? 'application/merge-patch+json' : 'application/json'
    if (body) made['requestBody'] = { required: true, content: { [type]: body } }
  }
  made['responses'] = responses(verb)
  return made
}

function tag({ engine }: Place): string {
  if (engine.type === 'system') return 'system'
  if (engine.type === 'identity') return 'identity'
  return engine.class === 'auth' ? 'auth' : 'secrets'
}

/** Vault's words for a list; and fields that can only be meant for a question. */
function queryParameters(endpoint: Endpoint, verb: Verb): Json[] {
  const found: Json[] = []
  if (verb === 'list') {
    found.push({
      name: 'list',
      description: 'Must be set to `true`',
      in: 'query',
      required: true,
      schema: { type: 'string', enum: ['true'] },
    })
    found.push(...PAGE_PARAMETERS)
  }
  const asks = verb === 'read' || verb === 'list' || verb === 'delete'
  const hasBody = endpoint.write !== undefined || endpoint.patch !== undefined
  if (!asks || hasBody || endpoint.anyBody) return found
  for (const [name, field] of bodyFields(endpoint)) {
    found.push({ name, description: field.help, in: 'query', schema: fieldSchema(field) })
  }
  return found
}

const PAGE_PARAMETERS: readonly Json[] = [
  {
    name: 'after',
    description: 'Only names that sort after this one.',
    in: 'query',
    schema: { type: 'string' },
  },
  {
    name: 'limit',
    description: 'At most so many names; 0 = all.',
    in: 'query',
    schema: { type: 'integer' },
  },
]

function requestBody({ endpoint, schemas }: Adding, id: string): Json | undefined {
  const example = endpoint.example && { example: endpoint.example }
  if (endpoint.anyBody) {
    return { schema: { type: 'object', additionalProperties: true }, ...example }
  }
  const fields = bodyFields(endpoint)
  if (fields.length === 0) return undefined
  const name = `${id.split('-').map(capital).join('')}Request`
  const required = fields.filter(([, field]) => field.required !== undefined)
  schemas[name] = {
    type: 'object',
    properties: Object.fromEntries(fields.map(([key, field]) => [key, fieldSchema(field)])),
    ...(required.length > 0 && { required: required.map(([key]) => key) }),
  }
  return { schema: { $ref: `#/components/schemas/${name}` }, ...example }
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)

function fieldSchema(field: Field<unknown>): Json {
  return {
    ...field.schema,
    description: field.help,
    ...(field.fallback !== undefined && { default: field.fallback }),
    ...(field.deprecated && { deprecated: true }),
    ...(field.sensitive && { 'x-vault-displayAttrs': { sensitive: true } }),
  }
}

function responses(verb: Verb): Json {
  const ok = { 200: { description: 'OK' } }
  const empty = { 204: { description: 'No Content' } }
  if (verb === 'read' || verb === 'list') return ok
  return verb === 'delete' ? empty : { ...ok, ...empty }
}

/** `<place>-<verb>-<words of the path>`, made unique by what the path captures. */
function operationId({ place, endpoint, taken }: Adding, verb: Verb): string {
  const words = endpoint.path.split('/').filter((part) => part !== '' && !part.startsWith(':'))
  const last = words.at(-1) === 'login' && verb === 'write'
  const base = slug([place.word, last ? '' : verb, ...words].join('-'))
  const named = slug([base, 'by', ...captures(endpoint.path)].join('-'))
  let id = taken.has(base) ? named : base
  for (let n = 2; taken.has(id); n++) id = `${named}-${n}`
  taken.add(id)
  return id
}
