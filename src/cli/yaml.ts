/**
 * Prints decoded JSON as YAML 1.2 that a YAML 1.1 reader understands the same way: keys in byte
 * order, no aliases, and quotes around every string that could be read as something else.
 */
import { isObject, isRawJson } from '../lib/json.ts'
import { sortedKeys } from './go-text.ts'

/** One document, without a newline at the end. */
export function toYaml(value: unknown): string {
  return block(value, '').join('\n')
}

/** The lines of a value that stands on its own lines. */
function block(value: unknown, indent: string): string[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((item) =>
      under(item, { indent, lead: `${indent}-`, deeper: `${indent}  ` }),
    )
  }
  if (isObject(value) && Object.keys(value).length > 0) {
    return sortedKeys(value).flatMap((key) => {
      const lead = `${indent}${scalar(key)}:`
      // A list stands at the level of its key, as in the YAML Vault prints.
      const deeper = Array.isArray(value[key]) ? indent : `${indent}  `
      return under(value[key], { indent, lead, deeper })
    })
  }
  return [indent + inline(value, indent)]
}

type Place = { indent: string; lead: string; deeper: string }

function under(value: unknown, { indent, lead, deeper }: Place): string[] {
  const nested =
    (Array.isArray(value) && value.length > 0) || (isObject(value) && Object.keys(value).length > 0)
  if (!nested) return [`${lead} ${inline(value, `${indent}  `)}`]
  const lines = block(value, deeper)
  // `- a: 1`: the first key of a map in a list shares the line of its dash.
  if (lead.endsWith('-')) return [`${lead} ${lines[0]!.slice(deeper.length)}`, ...lines.slice(1)]
  return [lead, ...lines]
}

function inline(value: unknown, indent: string): string {
  if (value === null || value === undefined) return 'null'
  if (isRawJson(value)) return value.rawJSON
  if (Array.isArray(value)) return '[]'
  if (typeof value === 'object') return '{}'
  if (typeof value !== 'string') return JSON.stringify(value)
  return literal(value, indent) ?? scalar(value)
}

/** A text of many plain lines is kept readable: a key, a certificate, a policy. */
function literal(text: string, indent: string): string | undefined {
  const plain =
    /\n/.test(text) && /^\S/.test(text) && !/[^\n\t\u0020-\u007e\u00a0-\ud7ff]/.test(text)
  if (!plain || /[ \t](\n|$)/.test(text)) return undefined
  const trailing = /\n*$/.exec(text)![0].length
  if (trailing > 1) return undefined
  const lines = text.replace(/\n$/, '').split('\n')
  const body = lines.map((line) => (line === '' ? '' : `${indent}${line}`))
  return [trailing === 1 ? '|' : '|-', ...body].join('\n')
}

const PLAIN = /^[A-Za-z/][\w ./()+@-]*$/
const RESERVED = /^(y|n|yes|no|on|off|true|false|null|nan|inf)$/i

function scalar(text: string): string {
  const plain = PLAIN.test(text) && !RESERVED.test(text) && !text.endsWith(' ')
  // JSON's quotes are YAML's double quotes.
  return plain ? text : JSON.stringify(text)
}
