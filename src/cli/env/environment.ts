/**
 * An environment is a secret of the key-value store whose fields are the variables, or a folder of
 * such secrets when its path ends in a slash. A word without a slash is one below the base path.
 */
import { type Client } from '../../client/connect.ts'
import { DeniedError, InvalidRequestError, MissingError } from '../../client/errors.ts'
import { stringifyJson } from '../../client/json.ts'
import { CliError } from '../cli-error.ts'
import { type Context, flag } from '../command.ts'

export const baseFlag = flag.string(
  'Path above the environments: with -base=secret/shop, "prod" is secret/shop/prod. ' +
    'Env: COFFER_ENV_BASE.',
  { value: 'path' },
)

export type Variables = ReadonlyMap<string, string>
export type Stored = {
  readonly variables: Variables
  /** As it is in the store, for what is written back. */
  readonly data: Readonly<Record<string, unknown>>
  /** The version to name when it is written: 0 when there has never been one. */
  readonly version: number
  readonly exists: boolean
}
/** By path below the environment; of an environment that is one secret, the path is empty. */
export type Environment = ReadonlyMap<string, Stored>

type At = Pick<Context, 'io'> & { readonly flags: { readonly base: string | undefined } }

/** The path of an environment: `secret/shop/prod`, or with a slash at the end `secret/shop/prod/`. */
export function environmentPath({ io, flags }: At, word: string): string {
  const folder = word.endsWith('/') ? '/' : ''
  const path = word.trim().replace(/^\/+|\/+$/g, '')
  const base = (flags.base ?? io.env['COFFER_ENV_BASE'] ?? '').replace(/^\/+|\/+$/g, '')
  if (path === '') throw new CliError('the path of an environment is empty')
  if (path.includes('/')) return path + folder
  if (base !== '') return `${base}/${path}${folder}`
  throw new CliError(`"${path}" is not a path`, {
    hint: `write it whole, as in secret/shop/${path}, or give -base=secret/shop`,
  })
}

export async function readEnvironment(client: Client, path: string): Promise<Environment> {
  if (!path.endsWith('/')) return new Map([['', await readStored(client, path)]])
  const found = new Map<string, Stored>()
  for (const below of await namesBelow(client, path, '')) {
    found.set(below, await readStored(client, path + below))
  }
  return found
}

async function namesBelow(client: Client, path: string, under: string): Promise<string[]> {
  const names: string[] = []
  for (const name of await client.kv(path).list(under)) {
    if (name.endsWith('/')) names.push(...(await namesBelow(client, path, under + name)))
    else names.push(under + name)
  }
  return names
}

export async function readStored(client: Client, path: string): Promise<Stored> {
  try {
    const { data, version = 0 } = await client.kv(path).read('')
    return { data, variables: variablesOf(data), version, exists: true }
  } catch (error) {
    if (!(error instanceof MissingError)) throw error
    const version = await currentVersion(client, path)
    return { data: {}, variables: new Map(), version, exists: false }
  }
}

/** Of a secret whose newest version is deleted, that version is still the one to name. */
async function currentVersion(client: Client, path: string): Promise<number> {
  try {
    return (await client.kv(path).metadata('')).currentVersion
  } catch (error) {
    // Where the policy does not allow the question, the server will refuse what does not fit.
    const none = [MissingError, DeniedError, InvalidRequestError].some((e) => error instanceof e)
    if (none) return 0
    throw error
  }
}

/** A field that is null is no variable; what is not a text is its JSON text, as in a reference. */
function variablesOf(data: Readonly<Record<string, unknown>>): Variables {
  const present = Object.entries(data).filter(([, value]) => value !== null)
  return new Map(
    present.map(([name, value]) => [
      name,
      typeof value === 'string' ? value : stringifyJson(value),
    ]),
  )
}

/** `NAME`, or `folder/secret#NAME` in an environment of many secrets. */
export function variableLabel(below: string, name: string): string {
  return below === '' ? name : `${below}#${name}`
}

/** Throws when there is nothing at all. */
export function mustExist(environment: Environment, path: string): void {
  if ([...environment.values()].some(({ exists }) => exists)) return
  throw new CliError(`there is no environment at ${path}`, {
    exit: 2,
    hint: path.endsWith('/') ? 'a folder is meant' : `a folder of secrets is written ${path}/`,
  })
}
