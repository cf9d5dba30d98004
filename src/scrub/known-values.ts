/**
 * The values that must not be printed, and what is printed in their place. Values are only ever
 * added: what was current yesterday opens doors until it is revoked, and longer in old logs.
 */
import { createHmac } from 'node:crypto'
import { formsOf } from '../rules/encodings.ts'
import { type MultiMatch, multiMatch } from './multi-match.ts'

export type KnownValue = {
  readonly value: string
  /** Where it is kept, e.g. `secret/app/db#password v7`. Not secret; printed in its place. */
  readonly name: string
  /**
   * Look for it also when it is short or plain, down to four bytes: it is known to be printed nowhere
   * for another reason, or the text does not matter as much as the value.
   */
  readonly force?: boolean
}

export type KnownOptions = {
  /**
   * What is printed: `name` = `[secret secret/app/db#password v7]`; `tag` = a keyed digest of the value,
   * the same for the same value, so that lines can still be told apart and joined.
   */
  readonly show?: 'name' | 'tag'
  /** For tags. Whoever has it can try values; without it, one is made that nobody keeps. */
  readonly key?: Uint8Array
}

export type KnownValues = {
  /** False when the value is too short or too plain to be looked for without ruining the log. */
  add(known: KnownValue): boolean
  readonly matcher: MultiMatch
  values(): Iterable<KnownValue>
  /** By the number of a pattern. */
  label(pattern: number): Buffer
  readonly size: number
  readonly leftOut: number
}

/** The oldest go first when there are more: memory has an end. */
const VALUES_MAX = 50_000
const SHORTEST = 6
/** Cutting every `a` or `80` out of a text would leave no text. */
export const FORCED_BYTES_MIN = 4
/** Below this, what is one kind of character all through is a word or a number to everybody else. */
const PLAIN_MAX = 12
const NAME_MAX = 200

export function knownValues(
  options: KnownOptions & { random: (bytes: number) => Buffer },
): KnownValues {
  const key = options.key ?? options.random(32)
  const byValue = new Map<string, { name: string; label: Buffer; force: boolean }>()
  let labels: Buffer[] = []
  let matcher: MultiMatch | undefined
  let leftOut = 0

  function compile(): MultiMatch {
    const patterns = new Map<string, { bytes: Buffer; label: Buffer }>()
    for (const [value, { label, force }] of byValue) {
      const forms = formsOf(value, isTelling)
      // What is shorter than any form is looked for as it is.
      if (force) forms.push(Buffer.from(value))
      for (const bytes of forms) {
        const id = bytes.toString('latin1')
        if (!patterns.has(id)) patterns.set(id, { bytes, label })
      }
    }
    labels = [...patterns.values()].map(({ label }) => label)
    return multiMatch([...patterns.values()].map(({ bytes }) => bytes))
  }

  return {
    add({ value, name, force = false }) {
      const text = value.trim()
      if (!isTelling(text) && !(force && Buffer.byteLength(text) >= FORCED_BYTES_MIN)) {
        leftOut++
        return false
      }
      if (byValue.has(text)) return true
      const shown = options.show === 'tag' ? tagOf(key, text) : printable(name)
      byValue.set(text, { name, label: Buffer.from(`[secret ${shown}]`), force })
      if (byValue.size > VALUES_MAX) byValue.delete(byValue.keys().next().value!)
      matcher = undefined
      return true
    },
    *values() {
      for (const [value, { name, force }] of byValue) yield { value, name, ...(force && { force }) }
    },
    get matcher() {
      return (matcher ??= compile())
    },
    label: (pattern) => labels[pattern]!,
    get size() {
      return byValue.size
    },
    get leftOut() {
      return leftOut
    },
  }
}

function isTelling(text: string): boolean {
  if (Buffer.byteLength(text) < SHORTEST) return false
  if (new Set(text).size < 4) return false
  return (
    text.length >= PLAIN_MAX || !/^(?:[a-z]+|[A-Z]+|[A-Z][a-z]+|\d+|[a-z]+[-_.][a-z]+)$/.test(text)
  )
}

const tagOf = (key: Uint8Array, text: string) =>
  createHmac('sha256', key).update(text).digest('hex').slice(0, 12)

/** A name comes from a path that somebody chose: it must not write lines or colours of its own. */
export const printable = (name: string) =>
  name.replace(/[^\x20-\x7e]|[[\]]/g, '?').slice(0, NAME_MAX) || 'unnamed'
