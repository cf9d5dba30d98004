/**
 * ACL policies as people write them: HCL or JSON, either of them in base64 too. This reads the text
 * into rules and judges nothing; `acl.ts` does that.
 */
import { parseDurationSeconds } from '../lib/duration.ts'
import {
  HclError,
  type HclItem,
  type HclObject,
  type HclValue,
  isHclObject,
  parseHclOrJson,
} from '../lib/hcl.ts'
import { PolicyError } from './policies-error.ts'
import { type KeysFilter, parseKeysFilter } from './policies-keys-filter.ts'
import { templateParts } from './policies-template.ts'

export { DEFAULT_POLICY, RESPONSE_WRAPPING_POLICY } from './policies-builtin.ts'
export { PolicyError } from './policies-error.ts'
export { type PolicyName, policyName } from './policies-name.ts'

/** In the order in which they are told to clients. */
export const CAPABILITIES = [
  'sudo',
  'read',
  'list',
  'update',
  'delete',
  'create',
  'patch',
  'scan',
  'subscribe',
  'recover',
  'deny',
] as const
export type Capability = (typeof CAPABILITIES)[number]

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

/** Lower-case parameter name to the values it is about; an empty list means every value. */
export type ParameterRules = ReadonlyMap<string, readonly JsonValue[]>

export type PathRule = {
  /** Without its leading slash, wildcards and templates as written. */
  readonly path: string
  /** Just `deny` when `deny` was among them. */
  readonly capabilities: ReadonlySet<Capability>
  readonly allowedParameters?: ParameterRules
  readonly deniedParameters?: ParameterRules
  readonly requiredParameters?: readonly string[]
  readonly minWrappingTtlSeconds?: number
  readonly maxWrappingTtlSeconds?: number
  readonly mfaMethods?: readonly string[]
  /** Other people would have to approve each use. */
  readonly controlGroup?: true
  /** From then on the rule counts for nothing. */
  readonly expiration?: Date
  readonly paginationLimit?: number
  readonly keysFilter?: KeysFilter
  readonly comment?: string
  readonly templated: boolean
}
export type Policy = { readonly rules: readonly PathRule[] }

const BASE64_CHARS_MAX = 2 * 1024 * 1024

/** The text that was meant: decoded when all of it is base64, as it is otherwise. Store this one. */
export function decodePolicyText(text: string): string {
  const packed = text.replaceAll(/[\r\n]/g, '')
  const base64 = packed.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(packed)
  if (!base64 || packed.length > BASE64_CHARS_MAX) return text
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(packed, 'base64'))
  } catch {
    return text
  }
}

/** Throws PolicyError, whose text begins with `failed to parse policy: `. */
export function parsePolicy(text: string): Policy {
  const { items } = readText(decodePolicyText(text))
  const rules: PathRule[] = []
  for (const item of items) {
    if (item.key === 'path') rules.push(readPath(item))
    else if (item.key !== 'name') refuse(`invalid key ${quote(item.key)} on line ${item.line}`)
    else if (typeof item.value !== 'string') refuse(`name must be a string on line ${item.line}`)
  }
  return { rules }
}

/** The lines of the path blocks of a policy, in the order of its rules. */
export function ruleLines(text: string): number[] {
  const { items } = readText(decodePolicyText(text))
  return items.filter(({ key }) => key === 'path').map(({ line }) => line)
}

function readText(text: string): HclObject {
  try {
    return parseHclOrJson(text, { blocks: { path: 1 } })
  } catch (error) {
    if (error instanceof HclError) refuse(error.message)
    throw error
  }
}

function refuse(problem: string): never {
  throw new PolicyError(`failed to parse policy: ${problem}`)
}

const quote = (text: string) => JSON.stringify(text)

/** One setting of a path block, and how to refuse it. */
type Setting = { value: HclValue; refuse: (problem: string) => never }

/** What each key of a path block adds to its rule. */
const SETTINGS: Readonly<Record<string, (setting: Setting) => Partial<PathRule>>> = {
  // Both name capabilities, and are read together.
  capabilities: () => ({}),
  policy: () => ({}),
  allowed_parameters: (s) => ({ allowedParameters: readParameters(s) }),
  denied_parameters: (s) => ({ deniedParameters: readParameters(s) }),
  required_parameters: (s) => ({
    requiredParameters: readWords(s).map((word) => word.toLowerCase()),
  }),
  min_wrapping_ttl: (s) => ({ minWrappingTtlSeconds: readDuration(s) }),
  max_wrapping_ttl: (s) => ({ maxWrappingTtlSeconds: readDuration(s) }),
  mfa_methods: (s) => ({ mfaMethods: readWords(s) }),
  control_group: (s) =>
    isHclObject(s.value) ? { controlGroup: true } : s.refuse('must be a block'),
  comment: (s) =>
    typeof s.value === 'string' ? { comment: s.value } : s.refuse('must be a string'),
  expiration: (s) => ({ expiration: readTime(s) }),
  pagination_limit: (s) => ({ paginationLimit: readCount(s) }),
  // Narrows what `subscribe` sees, and nothing here can be subscribed to.
  subscribe_event_types: (s) => {
    readWords(s)
    return {}
  },
  list_scan_response_keys_filter_path: (s) => ({ keysFilter: readKeysFilter(s) }),
}

function readPath(item: HclItem): PathRule {
  const [label] = item.labels
  if (label === undefined || item.labels.length > 1 || !isHclObject(item.value)) {
    return refuse(`expected path "pattern" { … } on line ${item.line}`)
  }
  const refuseHere = (problem: string) => refuse(`path ${quote(label)}: ${problem}`)
  const settings = new Map<string, Setting>()
  let rule: Partial<PathRule> = {}
  for (const { key, labels, value, line } of item.value.items) {
    const read = Object.hasOwn(SETTINGS, key) && labels.length === 0 ? SETTINGS[key] : undefined
    if (read === undefined) return refuseHere(`invalid key ${quote(key)} on line ${line}`)
    if (settings.has(key)) return refuseHere(`key ${quote(key)} is given again on line ${line}`)
    const setting = { value, refuse: (problem: string) => refuseHere(`${key} ${problem}`) }
    settings.set(key, setting)
    rule = { ...rule, ...read(setting) }
  }
  const path = label.replace(/^\//, '')
  if (path.includes('+*')) refuseHere("invalid use of wildcards ('+*' is forbidden)")
  const parts =
    templateParts(path) ?? refuseHere(`unknown or unclosed template on line ${item.line}`)
  const { minWrappingTtlSeconds: min = 0, maxWrappingTtlSeconds: max = 0 } = rule
  if (max > 0 && max < min) refuse('max_wrapping_ttl cannot be less than min_wrapping_ttl')
  return {
    ...rule,
    path,
    templated: parts.some((part) => 'expression' in part),
    capabilities: readCapabilities(settings, refuseHere),
  }
}

const LEGACY: ReadonlyMap<HclValue, readonly Capability[]> = new Map<HclValue, Capability[]>([
  ['deny', ['deny']],
  ['read', ['read', 'list']],
  ['write', ['create', 'read', 'update', 'delete', 'list']],
  ['sudo', ['create', 'read', 'update', 'delete', 'list', 'sudo']],
])
const KNOWN: ReadonlySet<string> = new Set(CAPABILITIES)

function readCapabilities(
  settings: ReadonlyMap<string, Setting>,
  refuseHere: (problem: string) => never,
): ReadonlySet<Capability> {
  const listed = settings.get('capabilities')
  const words = listed ? readWords(listed) : []
  for (const word of words) {
    if (!KNOWN.has(word)) refuseHere(`invalid capability ${quote(word)}`)
  }
  const legacy = settings.get('policy')?.value ?? ''
  const implied = legacy === '' ? [] : LEGACY.get(legacy)
  if (implied === undefined) {
    return refuseHere(
      typeof legacy === 'string' ? `invalid policy ${quote(legacy)}` : 'invalid policy',
    )
  }
  const all = new Set([...(words as Capability[]), ...implied])
  return all.has('deny') ? new Set(['deny']) : all
}

function readWords({ value, refuse }: Setting): string[] {
  if (!Array.isArray(value) || !value.every((word) => typeof word === 'string')) {
    return refuse('must be a list of strings')
  }
  return value
}

function readParameters({ value, refuse }: Setting): ParameterRules {
  if (!isHclObject(value)) return refuse('must be an object of lists')
  const rules = new Map<string, readonly JsonValue[]>()
  for (const item of value.items) {
    const key = item.key.toLowerCase()
    if (item.labels.length > 0 || !Array.isArray(item.value)) {
      return refuse('must be an object of lists')
    }
    if (rules.has(key)) return refuse(`names a parameter again on line ${item.line}`)
    rules.set(key, item.value.map(toJson))
  }
  return rules
}

function toJson(value: HclValue): JsonValue {
  if (Array.isArray(value)) return value.map(toJson)
  if (!isHclObject(value)) return value
  return Object.fromEntries(
    value.items.map((item): [string, JsonValue] => [item.key, toJson(item.value)]),
  )
}

function readDuration({ value, refuse }: Setting): number {
  try {
    return parseDurationSeconds(value)
  } catch {
    return refuse('must be a duration that is not negative')
  }
}

function readCount({ value, refuse }: Setting): number {
  const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0
    ? count
    : refuse('must be a whole number that is not negative')
}

function readKeysFilter({ value, refuse }: Setting): KeysFilter {
  if (typeof value !== 'string' || value === '') return refuse('must be a path with {{ .key }}')
  return parseKeysFilter(value) ?? refuse('may hold {{ .key }}, {{ .path }} and replace')
}

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

function readTime({ value, refuse }: Setting): Date {
  const time = typeof value === 'string' && RFC3339.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? refuse('must be a time as in RFC 3339') : new Date(time)
}
