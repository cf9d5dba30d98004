/**
 * Names on their way into a directory and out of it: the escapes of filters (RFC 4515) and of
 * distinguished names (RFC 4514), without which a name could say more than who somebody is.
 */

/** Under which a name is stored, compared and counted. */
export const keyOfName = (name: string, caseSensitive: boolean): string =>
  caseSensitive ? name : name.toLowerCase()

/** A value inside a filter (RFC 4515, section 3). Bytes beyond ASCII may stand as they are. */
export const escapeFilter = (value: string): string =>
  value.replaceAll(/[\\*()\0]/g, (c) => `\\${c.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** A value inside a distinguished name (RFC 4514, section 2.4). */
export function escapeDn(value: string): string {
  const inside = value.replaceAll(/["+,;<>\\=]/g, (c) => `\\${c}`).replaceAll('\0', String.raw`\00`)
  return inside.replace(/^[ #]/, (c) => `\\${c}`).replace(/(?<!\\) $/, String.raw`\ `)
}

const PLACE = /\{\{\s*(?:\.(\w+)\s*)?([^{}]*)\}\}/g

/** The places of a filter template: `{{.Username}}`; undefined when it has others than `allowed`. */
export function isTemplate(template: string, allowed: readonly string[]): boolean {
  const places = [...template.matchAll(PLACE)]
  const known = places.every(([, name, rest]) => rest === '' && allowed.includes(name ?? ''))
  return known && !/\{\{|\}\}/.test(template.replaceAll(PLACE, ''))
}

/** The filter of a template; `values` are already what may stand in a filter. */
export const renderFilter = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replaceAll(PLACE, (_place, name: string) => values[name] ?? '')

/**
 * The common name in a distinguished name: of the first part that has one. Anything else is a name
 * already. `exactly` takes only the attribute `CN` in capitals, as old versions of Vault did.
 */
export function commonNameIn(text: string, exactly = false): string {
  const parts = splitDn(text)
  if (!parts) return text
  const found = parts.find(({ type }) => (exactly ? type === 'CN' : type.toLowerCase() === 'cn'))
  return found?.value ?? text
}

/** Attribute and value of each part; undefined when it is no distinguished name. */
function splitDn(text: string): { type: string; value: string }[] | undefined {
  // An escaped character is never a separator.
  const parts = text.match(/(?:\\[^]|[^\\,;+])+/g) ?? []
  const named = parts.map((part) => /^\s*([A-Za-z][\w.-]*|\d[\d.]*)\s*=\s*([^]*?)\s*$/.exec(part))
  if (named.length === 0 || named.some((match) => match === null)) return undefined
  return named.map((match) => ({ type: match?.[1] ?? '', value: unescapeDn(match?.[2] ?? '') }))
}

/** `\2C` and `\,` are both a comma; bytes above ASCII come as runs of hex pairs. */
const unescapeDn = (value: string): string =>
  value.replaceAll(/(?:\\[\dA-Fa-f]{2})+|\\([^])/g, (run, single?: string) =>
    single === undefined ? Buffer.from(run.replaceAll('\\', ''), 'hex').toString() : single,
  )

/** A Windows security identifier as text: `S-1-5-21-…` (MS-DTYP, section 2.4.2.2). */
export function sidText(sid: Buffer): string | undefined {
  const count = sid[1] ?? 0
  if (sid.length !== 8 + 4 * count || sid[0] !== 1) return undefined
  const authority = sid.readUIntBE(2, 6)
  const parts = Array.from({ length: count }, (_, i) => sid.readUInt32LE(8 + 4 * i))
  return ['S', sid[0], authority, ...parts].join('-')
}
