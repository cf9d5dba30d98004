/**
 * A form of one's own. `{{#findings}}…{{/findings}}` is written for each finding, the rest once, at the
 * end. Names are those of jsonl, and of the summary of json: `{{path}}:{{line}} {{rule}}`. A name says
 * for what its value is written: `{{path|json}}`, `{{path|xml}}`, `{{path|csv}}`, `{{path|url}}`.
 */
import { fields, summaryOf } from './json.ts'
import { xml } from './junit.ts'
import { type Out, printable, type Reporter, type Shown } from './report.ts'

export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

type Values = Readonly<Record<string, unknown>>
type Part =
  | string
  | { readonly name: string; readonly as: string }
  | { readonly each: readonly Part[] }

const FILTERS: Readonly<Record<string, (text: string) => string>> = {
  plain: printable,
  json: (text) => JSON.stringify(text),
  xml,
  csv: (text) => `"${text.replaceAll('"', '""')}"`,
  url: (text) => encodeURIComponent(text.toWellFormed()),
}
const TAG = /\{\{\s*([#/]?)\s*([\w.]+)\s*(?:\|\s*(\w+)\s*)?\}\}/g
const NAMES = new Set(
  'rule title severity path line column end_line end_column value fingerprint commit author email date verified vault.path vault.field vault.version vault.live findings files bytes blobs commits messages rules allowed'.split(
    ' ',
  ),
)

/** Throws a TemplateError that says where it is wrong. */
export function readTemplate(template: string, out: Out): Reporter {
  const parts = partsOf(template)
  const all: Shown[] = []
  return {
    finding: (finding) => void all.push(finding),
    end(summary) {
      out.write(filled(parts, summaryOf(summary), all))
    },
  }
}

function partsOf(template: string): Part[] {
  const parts: Part[] = []
  let inner: Part[] | undefined
  let done = 0
  for (const { 0: tag, 1: sign, 2: name, 3: as = 'plain', index } of template.matchAll(TAG)) {
    ;(inner ?? parts).push(template.slice(done, index))
    done = index + tag.length
    if (sign === '#') {
      if (name !== 'findings' || inner) throw new TemplateError(`${tag} is not {{#findings}}`)
      inner = []
    } else if (sign === '/') {
      if (name !== 'findings' || !inner) throw new TemplateError(`${tag} closes nothing`)
      parts.push({ each: inner })
      inner = undefined
    } else {
      if (!NAMES.has(name!)) throw new TemplateError(`${tag}: there is no such name`)
      if (!Object.hasOwn(FILTERS, as)) throw new TemplateError(`${tag}: there is no such form`)
      ;(inner ?? parts).push({ name: name!, as })
    }
  }
  if (inner) throw new TemplateError('{{#findings}} is not closed')
  return [...parts, template.slice(done)]
}

function filled(parts: readonly Part[], values: Values, all: readonly Shown[]): string {
  return parts
    .map((part) => {
      if (typeof part === 'string') return part
      if ('each' in part) return all.map((one) => filled(part.each, fields(one), [])).join('')
      return FILTERS[part.as]!(valueOf(values, part.name))
    })
    .join('')
}

/** What a finding does not have is nothing. */
function valueOf(values: Values, name: string): string {
  const [first = '', second] = name.split('.')
  const value = values[first]
  const found = second === undefined ? value : (value as Values | undefined)?.[second]
  return typeof found === 'string' ? found : found === undefined ? '' : JSON.stringify(found)
}
