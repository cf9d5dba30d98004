/** Takes the field that a reference names out of a secret, as text, or says why it cannot. */
import { stringifyJson } from './json.ts'
import { type KvSecret } from './kv.ts'
import { type Reference } from './reference.ts'

/** A text that would be resolved if it stood in a config. */
const IS_REFERENCE = /^\s*(ref\+)?vault:\/\/|\$\{\s*(ref\+)?vault:\/\//i

type Picked = { value: string } | { reason: string }

/** A text is itself; a number, a truth value, a list or an object is its JSON text. */
export function pick(
  { data }: Pick<KvSecret, 'data'>,
  { field }: Pick<Reference, 'field'>,
): Picked {
  let value: unknown = data
  for (const name of field) {
    const here = typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    if (!here) return { reason: 'the secret has no such field' }
    value = (value as Record<string, unknown>)[name]
  }
  if (value === null) return { reason: 'the field is null' }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { reason: 'the number in the field is too large: store it as a text' }
  }
  const text = typeof value === 'string' ? value : stringifyJson(value)
  if (IS_REFERENCE.test(text)) {
    return { reason: 'the value is a reference itself, and references are followed only once' }
  }
  return { value: text }
}

/** `secret/db#password v7`: names the place, never the value. */
export function labelOf({ mount, path, field }: Reference, version: number | undefined): string {
  return `${mount}/${path}#${field.join('/')}${version === undefined ? '' : ` v${version}`}`
}
