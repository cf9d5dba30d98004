/**
 * Patterns of ignore files, as gitignore(5) tells them. Used where git cannot be asked: in folders
 * outside a repository, and for `.cofferignore`, which is ours.
 */

export type IgnoreRules = {
  /** `path` is relative to the folder of the ignore file, with `/`; undefined = no pattern says. */
  verdict(path: string, isFolder: boolean): 'ignored' | 'kept' | undefined
}

type Pattern = { readonly test: RegExp; readonly keeps: boolean; readonly foldersOnly: boolean }

const LENGTH_MAX = 1000

export function parseIgnore(text: string): IgnoreRules {
  const patterns = text
    .split('\n')
    .map((line) => parseLine(line.replace(/\r$/, '')))
    .filter((pattern) => pattern !== undefined)
  return {
    verdict(path, isFolder) {
      // The last pattern that matches decides.
      const last = patterns.findLast(
        ({ test, foldersOnly }) => (isFolder || !foldersOnly) && test.test(path),
      )
      return last && (last.keeps ? 'kept' : 'ignored')
    },
  }
}

function parseLine(line: string): Pattern | undefined {
  let text = line.replace(/(?<!\\)\s+$/, '')
  if (text === '' || text.startsWith('#') || text.length > LENGTH_MAX) return undefined
  const keeps = text.startsWith('!')
  if (keeps) text = text.slice(1)
  const foldersOnly = text.endsWith('/')
  if (foldersOnly) text = text.slice(0, -1)
  const anchored = text.includes('/')
  const source = sourceOf(text.replace(/^\//, ''))
  return { test: new RegExp(`^${anchored ? '' : '(?:.*/)?'}${source}$`, 's'), keeps, foldersOnly }
}

/** A glob as a regular expression without nested repetition. */
function sourceOf(glob: string): string {
  let source = ''
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!
    if (char === '*') {
      const stars = /^\*+/.exec(glob.slice(i))![0].length
      const whole = (i === 0 || glob[i - 1] === '/') && stars >= 2
      i += stars - 1
      if (!whole) source += '[^/]*'
      else if (glob[i + 1] === '/') {
        source += '(?:.*/)?'
        i++
      } else source += '.*'
    } else if (char === '?') source += '[^/]'
    else if (char === '[') {
      const close = glob.indexOf(']', i + 2)
      if (close < 0) source += String.raw`\[`
      else {
        const set = glob
          .slice(i + 1, close)
          .replace(/^!/, '^')
          .replace(/[\\[]/g, String.raw`\$&`)
        source += validSet(`[${set}]`) ? `(?!/)[${set}]` : String.raw`\[`
        if (validSet(`[${set}]`)) i = close
      }
    } else if (char === '\\' && i + 1 < glob.length) source += escaped(glob[++i]!)
    else source += escaped(char)
  }
  return source
}

const escaped = (char: string) => char.replace(/[$()*+.?[\\\]^{|}/-]/, String.raw`\$&`)

function validSet(set: string): boolean {
  try {
    return new RegExp(set) instanceof RegExp
  } catch {
    return false
  }
}
