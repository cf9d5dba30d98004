/**
 * What of the published API description this build answers, found by routing: an operation is
 * implemented when the engine its path belongs to has an endpoint there with a handler for its
 * method. `docs/reference/coverage.md` is written from here.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { routesOf } from '../src/core/endpoints.ts'
import { accessTo } from '../src/derive/described.ts'
import { type Engine, type Verb } from '../src/kit/engine.ts'
import { REASONS, type Reason } from './coverage-reasons.ts'

const FACTS = 'test/coverage/operations.txt'

export type Operation = {
  readonly method: string
  readonly path: string
  /** The description says so. */
  readonly sudo: boolean
  readonly public: boolean
}

export type Covered = Operation & {
  readonly status: 'implemented' | Reason['status']
  /** Of what is not implemented. */
  readonly why?: string
  /** The line of the table that says so; absent when its whole engine is missing. */
  readonly reason?: Reason
  /** Who may come, where there is a handler. */
  readonly access?: ReturnType<typeof accessTo>
}

const VERBS: Readonly<Record<string, Verb>> = {
  GET: 'read',
  LIST: 'list',
  POST: 'write',
  PATCH: 'patch',
  DELETE: 'delete',
}

export function publishedOperations(): Operation[] {
  const text = readFileSync(join(resolve(import.meta.dirname, '..'), FACTS), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [method = '', path = '', ...flags] = line.split(' ')
      return { method, path, sudo: flags.includes('sudo'), public: flags.includes('public') }
    })
}

/** Every published operation, with what this build does about it. */
export function coverage(engines: readonly Engine[]): Covered[] {
  return publishedOperations().map((operation) => covered(operation, engines))
}

function covered(operation: Operation, engines: readonly Engine[]): Covered {
  const place = placeOf(operation.path)
  const engine = engines.find((each) => isOf(each, place))
  const access = engine && accessHere(engine, operation, place)
  const named = `${operation.method} ${operation.path}`
  const reason = REASONS.find(({ operations }) => operations.some((glob) => fits(glob, named)))
  if (reason?.status === 'refused' || (reason && !access)) {
    const { status, why } = reason
    return { ...operation, status, why, reason, ...(access && { access }) }
  }
  if (access) return { ...operation, status: 'implemented', access }
  const what = place.class === 'auth' ? 'auth method' : 'secrets engine'
  const why = engine ? 'no reason is given' : `there is no ${what} "${place.type}" in this build`
  return { ...operation, status: 'not yet', why }
}

type Place = { type: string; class: Engine['class']; version?: string; rest: string }

const SYSTEM: Readonly<Record<string, string>> = {
  sys: 'system',
  identity: 'identity',
  cubbyhole: 'cubbyhole',
}

/** `/auth/{ldap_mount_path}/login/{username}`: which engine, and the path on its mount. */
function placeOf(path: string): Place {
  const [, first = '', ...rest] = path.split('/')
  if (first === 'auth') {
    const [mount = '', ...below] = rest
    return { type: typeOf(mount), class: 'auth', rest: below.join('/') }
  }
  const type = SYSTEM[first] ?? typeOf(first)
  const kv = /^kv_v([12])$/.exec(type)
  return {
    type: kv ? 'kv' : type,
    class: 'secret',
    rest: rest.join('/'),
    ...(kv && { version: kv[1]! }),
  }
}

const typeOf = (mount: string) => mount.replace(/^\{(.*)_mount_path\}$/, '$1')

function isOf(engine: Engine, { type, class: kind, version }: Place): boolean {
  if (engine.type !== type || engine.class !== kind) return false
  return version === undefined || engine.version === version
}

/** Who may come, or undefined when no handler is there for the method. */
function accessHere(engine: Engine, { method }: Operation, { rest }: Place): Covered['access'] {
  const sample = rest.replaceAll(/\{[^}]*\}/g, 'sample')
  const match = routesOf(engine).match(sample)
  const verb = VERBS[method]
  // What is hidden only explains to a lost client where it should have gone.
  if (!match || match.endpoint.hidden || !verb || !match.endpoint[verb]) return undefined
  return accessTo(match.endpoint, verb)
}

/** Whether a pattern of the table fits. */
export function fits(glob: string, operation: string): boolean {
  const parts = glob.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(operation)
}
