/**
 * Metadata of a secret id as clients send it: a JSON object of strings, `a=b,c=d`, or either of
 * them in base64. It ends up in the metadata of every token the secret id gives.
 */
import { refuse } from '../../kit/kit.ts'
import { isObject } from '../../lib/json.ts'

/** 400 when it is none of these; the text never repeats what was sent. */
export function parseMetadata(text: string): Record<string, string> {
  const trimmed = text.trim()
  if (trimmed === '') return {}
  return (
    readObject(trimmed) ??
    readPairs(trimmed) ??
    refuse('failed to parse metadata: expected a JSON object of strings, or key=value pairs')
  )
}

/** JSON as it is, or either form in base64, which plain pairs are never mistaken for. */
function readObject(text: string): Record<string, string> | undefined {
  const decoded = BASE64.test(text) ? Buffer.from(text, 'base64').toString('utf8') : text
  return readJson(decoded) ?? (decoded === text ? undefined : readPairs(decoded))
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function readJson(text: string): Record<string, string> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(value)) return undefined
  const strings = Object.values(value).every((item) => typeof item === 'string')
  return strings ? (value as Record<string, string>) : undefined
}

function readPairs(text: string): Record<string, string> | undefined {
  const pairs: [string, string][] = []
  for (const item of text.split(',')) {
    const at = item.indexOf('=')
    const [key, value] = [item.slice(0, Math.max(at, 0)).trim(), item.slice(at + 1).trim()]
    if (key === '' || value === '') return undefined
    pairs.push([key, value])
  }
  return Object.fromEntries(pairs)
}
