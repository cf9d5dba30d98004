/**
 * An environment with `vault://` references becomes one with values, for a child process and nobody
 * else. All or nothing: every reference that cannot be resolved is named, and no value is.
 */
import { type LoadOptions, loadConfig } from '../client/load-config.ts'
import { ConfigError } from '../client/errors.ts'
import { hasReference, parseReference, parseTemplate, type Reference } from '../client/reference.ts'
import { reveal } from '../client/loaded.ts'
import { type KnownValue } from '../scrub/known-values.ts'
import { addGeneration, type Generations } from './holding.ts'

export type Env = Readonly<Record<string, string>>

export type ResolvedEnv = {
  readonly env: Env
  /** What must not be printed: whole values, and the parts of those that hold a reference inside. */
  readonly secrets: readonly KnownValue[]
  /** Every reference that was resolved; a secret that is named twice is in here twice. */
  readonly references: readonly Reference[]
  /** Which ones of those that are rotated. */
  readonly generations: Generations
}

/** Throws one ConfigError whose problems are named by variable. Without references, asks nobody. */
export async function resolveEnv(env: Env, options: LoadOptions): Promise<ResolvedEnv> {
  const written = Object.entries(env).filter(([, text]) => hasReference(text))
  const parts: Record<string, readonly string[]> = Object.create(null)
  for (const [name, text] of written) parts[name] = partsOf(text)
  const generations = new Map<string, number>()
  const onRead: LoadOptions['onRead'] = (read) => {
    addGeneration(generations, read)
    options.onRead?.(read)
  }
  try {
    const loaded = await loadConfig({ env: withoutPrototype(env), parts }, { ...options, onRead })
    const values = reveal(loaded.env) as Record<string, string>
    refuseNull(values)
    const inner = reveal(loaded.parts) as Record<string, readonly string[]>
    return {
      env: values,
      secrets: [
        ...written.map(([name]) => ({ value: values[name]!, name })),
        ...written.flatMap(([name]) => partsNamed(name, inner[name]!)),
      ],
      references: Object.values(parts).flat().map(parseReference),
      generations,
    }
  } catch (error) {
    if (error instanceof ConfigError) throw byVariable(error)
    throw error
  }
}

/** A variable may be called anything, also `__proto__`. */
function withoutPrototype(env: Env): Record<string, string> {
  return Object.assign(Object.create(null) as Record<string, string>, env)
}

/** What is wrong with the text is found, and told, where the variable itself is resolved. */
function partsOf(text: string): readonly string[] {
  try {
    const { references } = parseTemplate(text)!
    references.forEach(parseReference)
    return references
  } catch {
    return []
  }
}

/** The system ends a value at a null character; node refuses it, and quotes the value when it does. */
function refuseNull(values: Env): void {
  const reason = 'the value has a null character in it, which no environment can hold'
  const problems = Object.entries(values)
    .filter(([, value]) => value.includes('\0'))
    .map(([at]) => ({ at: `env.${at}`, reference: 'a value', reason }))
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Inside a URL the value stands encoded, and a program may print it either way. */
function partsNamed(name: string, inner: readonly string[]): KnownValue[] {
  return inner.flatMap((value) => [value, encoded(value)]).map((value) => ({ value, name }))
}

function encoded(value: string): string {
  try {
    return encodeURIComponent(value)
  } catch {
    return value
  }
}

function byVariable(error: ConfigError): ConfigError {
  const own = error.problems.filter(({ at }) => /^env[.[]/.test(at))
  const problems = own.map((problem) => ({ ...problem, at: variableOf(problem.at) }))
  return new ConfigError(problems, error.cause)
}

/** `env.NAME` or `env["odd name"]`. */
function variableOf(at: string): string {
  return at.startsWith('env.') ? at.slice(4) : at.slice(4, -1)
}
