/**
 * Templates of claims: a JSON object in which `{{identity.entity.name}}` and its like stand where a
 * value stands. What is put in is printed as one whole JSON value, so nothing that an entity, an
 * alias or a group can hold is ever read as JSON.
 *
 *   {"name": {{identity.entity.name}}, "nbf": {{time.now.minus.1m}}}
 */
import { parseDurationSeconds } from '../../../lib/duration.ts'
import { type Alias, type Entity, type Group } from '../entity.ts'

/** Whom a template is filled for. `now` in milliseconds since the epoch. */
export type TemplateSubject = {
  readonly entity: Entity
  /** All groups the entity is in, inherited ones too. */
  readonly groups: readonly Group[]
  readonly now: number
}

/** What is wrong with a template, in Vault's words where it has some. Quotes names at most. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

type Value = (subject: TemplateSubject) => unknown
type Part = { readonly text: string } | { readonly value: Value }

export type Claims = Record<string, unknown>

/** The claims of a template for somebody. The template has been checked when it was stored. */
export function fillTemplate(template: string, subject: TemplateSubject): Claims {
  if (template === '') return {}
  const text = partsOf(template).map((part) =>
    'text' in part ? part.text : JSON.stringify(part.value(subject)),
  )
  return JSON.parse(text.join('')) as Claims
}

/** The top-level names a template makes. Throws TemplateError when it is none. */
export function checkTemplate(template: string): string[] {
  if (template === '') return []
  const parts = partsOf(template)
  // Only where a value stands is `null` JSON: not as a name, not beside something else. Whatever
  // parses with it is JSON of the same shape with every other value.
  const text = parts.map((part) => ('text' in part ? part.text : 'null')).join('')
  let claims: unknown
  try {
    claims = JSON.parse(text)
  } catch {
    throw new TemplateError('error parsing template JSON: not JSON with a value in each place')
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw new TemplateError('error parsing template JSON: expected an object')
  }
  return Object.keys(claims)
}

/** Text may be sent as base64, since JSON in JSON is hard to write. */
export function templateText(given: string): string {
  const decoded = Buffer.from(given, 'base64')
  return decoded.toString('base64') === given ? decoded.toString('utf8') : given
}

function partsOf(template: string): Part[] {
  const parts: Part[] = []
  let at = 0
  for (let inString = false; at < template.length;) {
    const open = template.indexOf('{{', at)
    const text = template.slice(at, open < 0 ? undefined : open)
    parts.push({ text })
    inString = endsInString(text, inString)
    if (open < 0) break
    const close = template.indexOf('}}', open)
    if (close < 0)
      throw new TemplateError('error parsing template: unbalanced templating characters')
    const directive = template.slice(open + 2, close).trim()
    const value = valueOf(directive)
    if (!value) throw notFound()
    // Inside a string only digits are sure to stay inside, and not as the rest of an escape.
    if (inString && (!directive.startsWith('time.') || text.endsWith('\\'))) {
      throw new TemplateError('error parsing template JSON: a directive stands inside a string')
    }
    parts.push({ value })
    at = close + 2
  }
  return parts
}

const notFound = () =>
  new TemplateError(
    'error parsing template: no value could be found for one of the template directives',
  )

/** Whether the end of some JSON text is inside a string. */
function endsInString(text: string, startsInString: boolean): boolean {
  let inString = startsInString
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') inString = !inString
    else if (text[i] === '\\' && inString) i++
  }
  return inString
}

/** What a directive stands for; undefined when there is no such directive. */
function valueOf(directive: string): Value | undefined {
  const [area, rest] = cut(directive)
  if (area === 'time') return timeValue(rest)
  if (area !== 'identity') return undefined
  const [kind, what] = cut(rest)
  if (kind === 'entity') return entityValue(what)
  return kind === 'groups' ? groupValue(what) : undefined
}

/** `a.b.c` in `a` and `b.c`. */
function cut(words: string): [string, string] {
  const dot = words.indexOf('.')
  return dot < 0 ? [words, ''] : [words.slice(0, dot), words.slice(dot + 1)]
}

function timeValue(words: string): Value | undefined {
  const [now, operation] = cut(words)
  if (now !== 'now') throw new TemplateError('error parsing template: invalid time selector')
  if (operation === '') return ({ now: ms }) => seconds(ms)
  const [operator, operand] = cut(operation)
  if (operator !== 'plus' && operator !== 'minus') {
    throw new TemplateError('error parsing template: invalid time operator')
  }
  if (operand === '') throw new TemplateError('error parsing template: missing time operand')
  const offset = durationOf(operand) * (operator === 'plus' ? 1 : -1)
  return ({ now: ms }) => seconds(ms) + offset
}

const seconds = (ms: number) => Math.floor(ms / 1000)

function durationOf(operand: string): number {
  try {
    return parseDurationSeconds(operand)
  } catch {
    throw new TemplateError('error parsing template: invalid duration')
  }
}

function entityValue(words: string): Value | undefined {
  if (words === 'groups.ids') return ({ groups }) => groups.map(({ id }) => id)
  if (words === 'groups.names') return ({ groups }) => groups.map(({ name }) => name)
  const [first, rest] = cut(words)
  if (first !== 'aliases') return namedValue(words, ({ entity }) => entity)
  const [accessor, what] = cut(rest)
  const alias = ({ entity }: TemplateSubject): Partial<Alias> =>
    entity.aliases.find(({ mount_accessor }) => mount_accessor === accessor) ?? {}
  const [metadata, key] = cut(what)
  if (metadata === 'custom_metadata' && what !== 'custom_metadata.') {
    return (subject) => mapValue(alias(subject).custom_metadata, key)
  }
  return namedValue(what, alias)
}

function groupValue(words: string): Value | undefined {
  const [by, rest] = cut(words)
  const [selector, what] = cut(rest)
  if ((by !== 'ids' && by !== 'names') || selector === '') return undefined
  return namedValue(what, ({ groups }): Partial<Group> => {
    return groups.find((group) => (by === 'ids' ? group.id : group.name) === selector) ?? {}
  })
}

type Named = {
  readonly id?: string
  readonly name?: string
  readonly metadata?: Readonly<Record<string, string>>
}

/** What entities, aliases and groups have alike. What is absent is the empty value of its kind. */
function namedValue(words: string, find: (subject: TemplateSubject) => Named): Value | undefined {
  if (words === 'id') return (subject) => find(subject).id ?? ''
  if (words === 'name') return (subject) => find(subject).name ?? ''
  if (words === 'metadata') return (subject) => mapValue(find(subject).metadata, '')
  if (!words.startsWith('metadata.') || words === 'metadata.') return undefined
  const key = words.slice('metadata.'.length)
  return (subject) => mapValue(find(subject).metadata, key)
}

/** A value of the map, or all of it. */
function mapValue(map: Readonly<Record<string, string>> = {}, key: string): unknown {
  if (key === '') return map
  return Object.hasOwn(map, key) ? map[key] : ''
}
