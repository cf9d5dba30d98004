/**
 * What the expressions of templated policies stand for, for one caller. Undefined where there is no
 * such thing; an alias is only ever that of the mount whose accessor the expression names.
 */
import { aliasOn } from './alias.ts'
import { type Standing } from './standing.ts'

type Pairs = Readonly<Record<string, string>>

export function templateValues({
  entity,
  groups,
}: Pick<Standing, 'entity' | 'groups'>): (expression: string) => string | undefined {
  return (expression) => {
    const [, kind, ...rest] = expression.split('.')
    if (kind === 'entity') {
      if (rest[0] !== 'aliases') return valueIn(entity, rest)
      const alias = aliasOn(entity, rest[1] ?? '')
      return alias && valueIn(alias, rest.slice(2))
    }
    if (kind !== 'groups') return undefined
    const [by, wanted, ...field] = rest
    const group = groups.find(({ id, name }) => (by === 'ids' ? id : name) === wanted)
    return group && valueIn(group, field)
  }
}

type Described = { id: string; name: string; metadata: Pairs; custom_metadata?: Pairs }

/** A key of metadata may hold dots itself. */
function valueIn(subject: Described, [field, ...key]: readonly string[]): string | undefined {
  if (field === 'id' || field === 'name') return key.length === 0 ? subject[field] : undefined
  if (field === 'metadata') return own(subject.metadata, key.join('.'))
  if (field === 'custom_metadata') return own(subject.custom_metadata ?? {}, key.join('.'))
  return undefined
}

const own = (pairs: Pairs, key: string) => (Object.hasOwn(pairs, key) ? pairs[key] : undefined)
