/**
 * `{{identity.…}}` in the paths of a policy. Which expressions exist is decided here; what they
 * stand for is asked at use, because it is another value for every caller.
 */

/** Text, or an expression to ask for. */
export type TemplatePart = { readonly text: string } | { readonly expression: string }

const EXPRESSIONS = [
  /^identity\.entity\.(?:id|name|metadata\.[^{}]+)$/,
  /^identity\.entity\.aliases\.[^.{}]+\.(?:id|name|(?:custom_)?metadata\.[^{}]+)$/,
  /^identity\.groups\.ids\.[^.{}]+\.(?:name|metadata\.[^{}]+)$/,
  /^identity\.groups\.names\.[^.{}]+\.(?:id|metadata\.[^{}]+)$/,
]

/** The parts of a path. Undefined when braces do not match or an expression is unknown. */
export function templateParts(path: string): TemplatePart[] | undefined {
  const parts: TemplatePart[] = []
  let at = 0
  for (;;) {
    const open = path.indexOf('{{', at)
    const text = path.slice(at, open === -1 ? undefined : open)
    if (text.includes('}}')) return undefined
    if (text !== '') parts.push({ text })
    if (open === -1) return parts
    const close = path.indexOf('}}', open)
    if (close === -1) return undefined
    const expression = path.slice(open + 2, close).trim()
    if (!EXPRESSIONS.some((known) => known.test(expression))) return undefined
    parts.push({ expression })
    at = close + 2
  }
}

/**
 * What a value may not hold: it could widen the path beyond the segment it was written into, and
 * people can often edit their own metadata. An empty value would turn `home/{{…}}*` into `home/*`.
 */
const WIDENING = /[/*+\p{Cc}]/u

/** The path for one caller. Undefined, and the rule falls away, when a value is absent or unsafe. */
export function expandTemplate(
  path: string,
  resolve: (expression: string) => string | undefined,
): string | undefined {
  const parts = templateParts(path)
  if (parts === undefined) return undefined
  let expanded = ''
  for (const part of parts) {
    if ('text' in part) {
      expanded += part.text
      continue
    }
    const value = resolve(part.expression)
    if (value === undefined || value === '' || WIDENING.test(value)) return undefined
    expanded += value
  }
  return expanded
}
