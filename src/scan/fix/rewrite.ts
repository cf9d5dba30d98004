/**
 * A secret in a line becomes a reference to where it is kept: `vault://…` in files of settings, a look
 * into the environment in code. Only what is certain is rewritten: a value that stands alone, without
 * escapes, in a kind of file that is known. The rest is said, and left to people.
 */

export type Kept = { readonly path: string; readonly field: string }

export type Rewritten =
  | { readonly line: string; readonly env?: string }
  /** Why it is left as it is. */
  | { readonly refused: string }

/** The name a value is assigned to in its line, or undefined. */
export function nameBefore(before: string): string | undefined {
  const found =
    /([A-Za-z_][\w.-]{0,63})["'\])]{0,2}\s{0,20}(?::=|=>|[=:])\s{0,20}[bru]?["'`]?$/.exec(before)
  return found?.[1]
}

/** As an environment has it: `dbPassword` is `DB_PASSWORD`. */
export const envName = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/\W+/g, '_')
    .toUpperCase()

const DATA = /(?:^|\/)\.env(?:\.[\w-]+)*$|\.(?:env|ya?ml|json|toml|properties|ini|cfg|conf)$/i

type Look = (name: string) => string
const quoted: (before: string, after?: string) => Look =
  (before, after = ')') =>
  (name) =>
    `${before}"${name}"${after}`
const javascript: Look = (name) => `process.env.${name}`
/** By the end of the file's name. */
const CODE: Readonly<Record<string, Look>> = {
  ...Object.fromEntries(
    ['js', 'mjs', 'cjs', 'jsx', 'ts', 'mts', 'cts', 'tsx'].map((end) => [end, javascript]),
  ),
  py: quoted('os.environ[', ']'),
  go: quoted('os.Getenv('),
  rb: quoted('ENV.fetch('),
  java: quoted('System.getenv('),
  kt: quoted('System.getenv('),
  scala: quoted('sys.env('),
  php: quoted('getenv('),
  cs: quoted('Environment.GetEnvironmentVariable('),
  rs: (name) => `std::env::var("${name}").unwrap()`,
  sh: (name) => `"\${${name}:?}"`,
  bash: (name) => `"\${${name}:?}"`,
}

/** What else the file needs for the name that is used. */
export const NEEDS: Readonly<Record<string, string>> = { py: 'import os', go: 'import "os"' }

export const endingOf = (path: string) => /\.([A-Za-z]+)$/.exec(path)?.[1]?.toLowerCase() ?? ''

/** As the client reads it. */
export const referenceTo = ({ path, field }: Kept): string =>
  `vault://${path.split('/').map(encodeURIComponent).join('/')}#${encodeURIComponent(field)}`

/** `start` and `end` of the secret in the line. */
export function rewriteLine(
  { path, line, start, end }: { path: string; line: string; start: number; end: number },
  kept: Kept,
  env: string,
): Rewritten {
  const secret = line.slice(start, end)
  if (/[\\&]|%[0-9a-f]{2}/i.test(secret)) return { refused: 'it is written with escapes' }
  const reference = referenceTo(kept)
  const [left, right] = [line[start - 1] ?? '', line[end] ?? '']
  const isString = left !== '' && left === right && /["'`]/.test(left)
  if (DATA.test(path)) {
    const isWhole =
      isString ||
      (/(?:^|[\s=:])$/.test(line.slice(0, start)) && /^\s*(?:$|#)/.test(line.slice(end)))
    const isInString = isString || line.slice(0, start).split('"').length % 2 === 0
    if (/\.(?:json|toml)$/i.test(path) && !isInString) return { refused: 'it is no string' }
    // In dotenv files a bare value ends at `#`. In YAML it does not, without a space before.
    const bare = isString || !/(?:^|\/)\.env|\.env$/i.test(path) ? reference : `"${reference}"`
    const text = isWhole ? bare : `\${${reference}}`
    return { line: line.slice(0, start) + text + line.slice(end) }
  }
  const look = CODE[endingOf(path)]
  if (!look) return { refused: 'it is not known how such a file reads its environment' }
  const isBare = endingOf(path) === 'sh' || endingOf(path) === 'bash'
  if (isBare && !isString && left === '=' && /^\s*$/.test(line.slice(end))) {
    return { line: line.slice(0, start) + look(env) + line.slice(end), env }
  }
  if (!isString) return { refused: 'it is only a part of a text' }
  // A prefix belongs to the string: b"…" is bytes, f"…" a template.
  if (/[A-Za-z0-9_]/.test(line[start - 2] ?? '')) return { refused: 'its string has a prefix' }
  return { line: line.slice(0, start - 1) + look(env) + line.slice(end + 1), env }
}
