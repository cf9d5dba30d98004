/** What a rule may ask of a request beyond its path and operation: parameters, wrapping, pages. */
import { globMatch } from '../lib/glob.ts'
import { isObject, isRawJson } from '../lib/json.ts'
import { type JsonValue, type ParameterRules } from './policies.ts'

export type Conditions = {
  readonly allowed: ParameterRules
  readonly denied: ParameterRules
  readonly required: readonly string[]
  /** 0 is no bound. */
  readonly minWrappingTtlSeconds: number
  readonly maxWrappingTtlSeconds: number
  readonly paginationLimit: number
}

/** What of a request its conditions are about. No `wrapTtlSeconds`, or 0, is no wrapping. */
export type Conditioned = {
  readonly operation: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly wrapTtlSeconds?: number
}

/** False when any condition is not met. */
export function meets(conditions: Conditions, request: Conditioned): boolean {
  if (!wrappingFits(conditions, request.wrapTtlSeconds ?? 0)) return false
  switch (request.operation) {
    case 'create':
    case 'read':
    case 'update':
    case 'patch':
      return parametersFit(conditions, request.data ?? {})
    case 'list':
    case 'scan':
      return pageFits(conditions, request.data ?? {})
    default:
      return true
  }
}

function wrappingFits(conditions: Conditions, ttlSeconds: number): boolean {
  const { minWrappingTtlSeconds: min, maxWrappingTtlSeconds: max } = conditions
  if (min === 0 && max === 0) return true
  // With no bound above, 0 must still not pass for a wrapped answer.
  return ttlSeconds > 0 && ttlSeconds >= min && (max === 0 || ttlSeconds <= max)
}

function parametersFit(conditions: Conditions, data: Readonly<Record<string, unknown>>): boolean {
  const { allowed, denied, required } = conditions
  const given = Object.entries(data).map(([key, value]) => [key.toLowerCase(), value] as const)
  if (!required.every((name) => given.some(([key]) => key === name))) return false
  if (given.length === 0) return true
  if (denied.has('*')) return false
  const others = allowed.size === 0 || allowed.has('*')
  return given.every(([key, value]) => {
    const bad = denied.get(key)
    if (bad && matchesAny(value, bad)) return false
    const good = allowed.get(key)
    // A list beside a lone `*` is not looked at: `{ "*" = ["x"] }` allows everything.
    return good === undefined || (key === '*' && allowed.size === 1)
      ? others
      : matchesAny(value, good)
  })
}

/** An empty list means every value. */
function matchesAny(value: unknown, list: readonly JsonValue[]): boolean {
  return list.length === 0 || list.some((pattern) => matchesValue(value, pattern))
}

function matchesValue(value: unknown, pattern: JsonValue): boolean {
  return typeof pattern === 'string' && typeof value === 'string'
    ? globMatch(pattern, value)
    : sameJson(value, pattern)
}

function sameJson(value: unknown, other: JsonValue): boolean {
  if (isRawJson(value)) return Number(value.rawJSON) === other
  if (typeof other !== 'object' || other === null) return value === other
  if (Array.isArray(other)) {
    return (
      Array.isArray(value) &&
      value.length === other.length &&
      other.every((each: JsonValue, i) => sameJson(value[i], each))
    )
  }
  if (!isObject(value)) return false
  const entries = Object.entries(other)
  return (
    entries.length === Object.keys(value).length &&
    entries.every(([key, each]) => Object.hasOwn(value, key) && sameJson(value[key], each))
  )
}

/** What is not met, in words; names, never values. Empty when all is. */
export function unmet(conditions: Conditions, request: Conditioned): string[] {
  if (meets(conditions, request)) return []
  const found: string[] = []
  if (!wrappingFits(conditions, request.wrapTtlSeconds ?? 0)) {
    const { minWrappingTtlSeconds: min, maxWrappingTtlSeconds: max } = conditions
    found.push(
      `the answer must be wrapped, for ${min}${max > 0 ? ` to ${max}` : ' or more'} seconds`,
    )
  }
  const given = Object.entries(request.data ?? {})
  for (const name of conditions.required) {
    if (!given.some(([key]) => key.toLowerCase() === name)) found.push(`"${name}" is required`)
  }
  for (const [key, value] of given) {
    const alone = { ...conditions, required: [] }
    if (!parametersFit(alone, { [key]: value }))
      found.push(`"${key}" is not allowed with its value`)
  }
  const { paginationLimit: pages } = conditions
  if (pages > 0 && !pageFits(conditions, request.data ?? {})) {
    found.push(`limit must be from 1 to ${pages}`)
  }
  return found
}

/** A page without `limit` is cut to the limit by whoever lists; `max` asks for just that. */
function pageFits(conditions: Conditions, data: Readonly<Record<string, unknown>>): boolean {
  if (conditions.paginationLimit === 0) return true
  const limit = data['limit']
  if (limit === undefined) return !conditions.required.includes('limit')
  if (limit === 'max') return true
  const count = typeof limit === 'string' && /^\d+$/.test(limit) ? Number(limit) : limit
  const whole = typeof count === 'number' && Number.isSafeInteger(count)
  return whole && count >= 1 && count <= conditions.paginationLimit
}
