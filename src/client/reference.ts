/**
 * What a config may say instead of a secret: `vault://<mount>/<path>#<field>[?version=N]`. Parsing
 * is strict, since what is not understood must never be passed on as if it were a value.
 */
import { ConfigError } from './errors.ts'

/**
 * `mount` is the first segment; a mount of several is found out by asking the server. `field` is one
 * name, or several when written as a pointer (`#/outer/inner`).
 */
export type Reference = {
  mount: string
  path: string
  field: readonly string[]
  version: number | undefined
  /** As written, without the space around it. */
  text: string
}

const SCHEME = /(?:ref\+)?vault:\/\//i
const WHOLE = /^(ref\+)?vault:\/\/([^#?]*)(\?[^#]*)?(?:#([^?#]*)(\?[^#]*)?)?$/i
const EMBEDDED = /\$\{\s*((?:ref\+)?vault:\/\/[^}]*)\}/gi

/** Whether the text has a reference anywhere, whole or not. */
export function hasReference(text: string): boolean {
  return SCHEME.test(text)
}

/** Throws ConfigError, which says what is wrong with the reference. */
export function parseReference(written: string): Reference {
  const text = written.trim()
  const fail = (reason: string): never => {
    throw new ConfigError([{ at: '', reference: shownReference(text), reason }])
  }
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return fail('has a "%" that does not encode anything: write "%25"')
    }
  }
  const match = WHOLE.exec(text)
  if (!match) return fail('is not of the form vault://<mount>/<path>#<field>')
  const [, alias, place = '', before = '', fragment = '', after = ''] = match
  const segments = place.split('/').map(decode)
  const [mount = '', ...path] = segments
  if (path.length === 0) fail('names no secret: write vault://<mount>/<path>#<field>')
  if (
    segments.some((s) => s === '' || s === '.' || s === '..' || /[\u0000-\u001f\u007f/]/.test(s))
  ) {
    fail('has an empty or relative segment, or a control character in its path')
  }
  // The alias may end in "+", which marks where the reference stops.
  const field = alias === undefined ? fragment : fragment.replace(/\+$/, '')
  const names = field.startsWith('/') ? field.slice(1).split('/') : [field]
  if (names.includes('')) fail('names no field: add #<field>')
  const version = versionOf([before, after], fail)
  return { mount, path: path.join('/'), field: names.map(decode), version, text }
}

function versionOf(queries: string[], fail: (reason: string) => never): number | undefined {
  const given = queries.flatMap((query) => [...new URLSearchParams(query)])
  const [first, second] = given
  if (first === undefined) return undefined
  if (second !== undefined || first[0] !== 'version') {
    return fail('takes one parameter only: ?version=<number>')
  }
  if (!/^[1-9]\d{0,14}$/.test(first[1])) fail('needs a version number from 1 on')
  return Number(first[1])
}

/** A text split at its references; `encode` when it is a URL, where a value must be URL-encoded. */
export type Template = {
  /** Texts around the references: always one more than there are references. */
  literals: readonly string[]
  references: readonly string[]
  encode: boolean
}

/**
 * How the references stand in a text: undefined when there are none. A reference that neither is the
 * whole text nor stands in `${…}` cannot be told from its neighbours, so that is a ConfigError.
 */
export function parseTemplate(text: string): Template | undefined {
  if (!hasReference(text)) return undefined
  if (/^\s*(?:ref\+)?vault:\/\//i.test(text)) {
    return { literals: ['', ''], references: [text], encode: false }
  }
  const references: string[] = []
  const literals: string[] = []
  let end = 0
  for (const match of text.matchAll(EMBEDDED)) {
    literals.push(text.slice(end, match.index))
    references.push(match[1] ?? '')
    end = match.index + match[0].length
  }
  literals.push(text.slice(end))
  const bare = literals.find(hasReference)
  if (bare !== undefined) {
    const reason = 'stands inside a longer text: write it as ${vault://<mount>/<path>#<field>}'
    throw new ConfigError([{ at: '', reference: bareReference(bare), reason }])
  }
  return { literals, references, encode: /^\s*[a-z][a-z0-9+.:-]*:\/\//i.test(text) }
}

/** A malformed reference may have swallowed its neighbours, so only plain characters are shown. */
function bareReference(text: string): string {
  return shownReference(text.slice(text.search(SCHEME)))
}

function shownReference(text: string): string {
  const [shown = ''] = /^[\w+.\-/:%#?=]*/.exec(text) ?? []
  return shown.length < text.length ? `${shown}…` : shown
}
