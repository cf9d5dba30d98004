/**
 * Notes a user keeps beside a key, for people and tools: short strings under short names. They are
 * shown to everyone who may read the key, and the limits are the same for a write and a patch.
 */
import { refuse } from '../../kit/kit.ts'
import { isRawJson } from '../../lib/json.ts'

type Notes = Readonly<Record<string, string>>

const NAMES_MAX = 64
const NAME_BYTES_MAX = 128
const VALUE_BYTES_MAX = 512
const QUOTED_CHARS_MAX = 32
/** Go's unicode.IsPrint: of all spaces, only the plain one. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u
const PREFIX = 'custom_metadata validation failed: '

/** The notes as given. None at all is null, as it is read back. */
export function parseNotes(input: Readonly<Record<string, unknown>>): Notes | null {
  const notes = Object.entries(input).map(([name, value]) => [name, textOf(name, value)] as const)
  return checked(notes)
}

/** The notes after a merge patch: null removes one, and a patch that is null removes all. */
export function patchNotes(
  notes: Notes | null,
  patch: Readonly<Record<string, unknown>> | null,
): Notes | null {
  if (patch === null) return null
  const merged = new Map(Object.entries(notes ?? {}))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else merged.set(name, textOf(name, value))
  }
  return checked([...merged])
}

/** Go's weak decoding into a string: null is empty and true is "1". */
function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (value === null) return ''
  if (isRawJson(value)) return value.rawJSON
  return refuse(`${PREFIX}value for key ${quoted(name)} must be a string`)
}

function checked(notes: readonly (readonly [string, string])[]): Notes | null {
  const errors =
    notes.length > NAMES_MAX
      ? [`payload must contain at most ${NAMES_MAX} keys, provided ${notes.length}`]
      : notes.flatMap(([name, value]) => complaints(name, value))
  if (errors.length > 0) {
    const heading = errors.length === 1 ? '1 error' : `${errors.length} errors`
    const lines = errors.map((error) => `\t* ${PREFIX}${error}\n`)
    refuse(`${heading} occurred:\n${lines.join('')}\n`)
  }
  return notes.length === 0 ? null : Object.fromEntries(notes)
}

/** Names are quoted, values never. */
function complaints(name: string, value: string): string[] {
  const found: string[] = []
  const [nameBytes, valueBytes] = [Buffer.byteLength(name), Buffer.byteLength(value)]
  const key = quoted(name)
  if (nameBytes === 0 || nameBytes > NAME_BYTES_MAX) {
    found.push(`length of key ${key} is ${nameBytes} but must be 0 < len(key) <= ${NAME_BYTES_MAX}`)
  }
  if (valueBytes === 0 || valueBytes > VALUE_BYTES_MAX) {
    found.push(
      `length of value for key ${key} is ${valueBytes} but must be 0 < len(value) <= ${VALUE_BYTES_MAX}`,
    )
  }
  if (!PRINTABLE.test(name)) found.push(`key ${key} contains unprintable characters`)
  if (!PRINTABLE.test(value)) found.push(`value for key ${key} contains unprintable characters`)
  return found
}

/** Shortened: a name that is far too long does not belong into an answer. */
function quoted(name: string): string {
  const long = name.length > QUOTED_CHARS_MAX
  return JSON.stringify(long ? `${name.slice(0, QUOTED_CHARS_MAX)}…` : name)
}
