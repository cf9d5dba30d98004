/**
 * Takes a config as it is written and gives it back with every `vault://` reference replaced by the
 * secret it names. Everything else stays as it is. All or nothing: what cannot be resolved is
 * reported together, and no reference ever comes out unresolved.
 */
import { Secret } from '../lib/secret.ts'
import { type Client, connect, type ConnectOptions } from './connect.ts'
import { ConfigError, type ConfigProblem, MissingError } from './errors.ts'
import { labelOf, pick } from './field.ts'
import { type KvSecret } from './kv.ts'
import { type Loaded } from './loaded.ts'
import {
  hasReference,
  parseReference,
  parseTemplate,
  type Reference,
  type Template,
} from './reference.ts'
import { type Place, walk } from './walk.ts'

export type LoadOptions = ConnectOptions & {
  /**
   * Used and left open; a function is called when there is something to read. Without it, one is made
   * from the other options and closed at the end.
   */
  client?: Client | (() => Promise<Client>)
  /** Told of each secret that was read: where it is, and which one it was if it is rotated. */
  onRead?: (read: { path: string; generation: number | undefined }) => void
}

/**
 * Walks plain objects, arrays and `process.env`, and returns a copy in which a text with references
 * became a Secret. Each secret is read once, however many of its fields are in use. A field that is
 * not a text becomes its JSON text; a field that is absent or null is a failure. Throws one
 * ConfigError for all failures; an abort passes through as it is. Without references, no server is
 * needed.
 */
export async function loadConfig<const T>(input: T, options: LoadOptions = {}): Promise<Loaded<T>> {
  const problems: ConfigProblem[] = []
  const { copy, places } = walk(input, problems)
  const found = places.flatMap((place) => parse(place, problems) ?? [])
  if (found.length > 0) {
    const outcomes = await readAll(found, options)
    for (const entry of found) fill(entry, outcomes, problems)
  }
  if (problems.length > 0) {
    const order = new Map(places.map(({ at }, index) => [at, index]))
    problems.sort((a, b) => (order.get(a.at) ?? -1) - (order.get(b.at) ?? -1))
    throw new ConfigError(problems, problems.find(({ error }) => error !== undefined)?.error)
  }
  return copy() as Loaded<T>
}

type Found = Place & { template: Template; references: Reference[] }

function parse(place: Place, problems: ConfigProblem[]): Found | undefined {
  try {
    const template = parseTemplate(place.text)
    if (template === undefined) return undefined
    return { ...place, template, references: template.references.map(parseReference) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems.map((problem) => ({ ...problem, at: place.at })))
    return undefined
  }
}

type Outcome<T> = { value: T } | { error: unknown }
type Outcomes = Map<string, Outcome<KvSecret>>
const keyOf = ({ mount, path, version }: Reference) => JSON.stringify([mount, path, version])

/** Reads each secret once, all at the same time; the client limits how many are under way. */
async function readAll(found: readonly Found[], options: LoadOptions): Promise<Outcomes> {
  const { client, onRead, ...connectOptions } = options
  const { signal } = options
  const wanted = new Map(found.flatMap((f) => f.references).map((ref) => [keyOf(ref), ref]))
  const open = () => (typeof client === 'function' ? client() : connect(connectOptions))
  const connected = await attempt(
    async () => (typeof client === 'object' ? client : await open()),
    signal,
  )
  if ('error' in connected) return new Map([...wanted.keys()].map((key) => [key, connected]))
  try {
    const { value: reader } = connected
    const reads = [...wanted].map(async ([key, { mount, path, version }]) => {
      const read = await attempt(() => reader.kv(mount).read(path, { version, signal }), signal)
      if ('value' in read) onRead?.({ path: `${mount}/${path}`, generation: read.value.generation })
      return [key, read] as const
    })
    return new Map(await Promise.all(reads))
  } finally {
    if (!client) await connected.value.close()
  }
}

/** The result or the error; but an abort ends it all. */
async function attempt<T>(
  run: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<Outcome<T>> {
  try {
    return { value: await run() }
  } catch (error) {
    signal?.throwIfAborted()
    return { error }
  }
}

function fill(entry: Found, outcomes: Outcomes, problems: ConfigProblem[]): void {
  const { at, set, template, references } = entry
  const labels: string[] = []
  const values: string[] = []
  let [text = ''] = template.literals
  for (const [index, reference] of references.entries()) {
    const outcome = outcomes.get(keyOf(reference))!
    const got =
      'error' in outcome ? failed(outcome.error, reference) : pick(outcome.value, reference)
    const placed = 'value' in got && template.encode ? encoded(got.value) : got
    if ('reason' in placed) {
      problems.push({ at, reference: reference.text, ...placed })
      continue
    }
    labels.push(labelOf(reference, 'value' in outcome ? outcome.value.version : undefined))
    values.push(placed.value)
    text += placed.value + (template.literals[index + 1] ?? '')
  }
  if (labels.length < references.length) return
  if (hasReference(text) && !values.some(hasReference)) {
    const reason = 'the text around the value closes up to a reference'
    problems.push({ at, reference: labels.join(', '), reason })
  } else {
    set(new Secret(text, labels.join(', ')))
  }
}

function failed(error: unknown, { path }: Reference): { reason: string; error: unknown } {
  const said = error instanceof Error ? error.message : 'the read failed'
  const isMisplaced = error instanceof MissingError && path.startsWith('data/')
  return { reason: isMisplaced ? `${said}; leave out "data/" after the mount` : said, error }
}

function encoded(value: string): { value: string } | { reason: string } {
  try {
    return { value: encodeURIComponent(value) }
  } catch {
    return { reason: 'the value cannot stand in a URL: it is not well-formed text' }
  }
}
