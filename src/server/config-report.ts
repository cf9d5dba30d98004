/**
 * What a configuration gets wrong, collected over all files so that one start shows every mistake.
 * A finding names files, lines, keys and types, and never a value: any value may be a secret.
 */

/** `line` is absent when the file as a whole is meant; `file` may also name a variable. */
export type Place = { readonly file: string; readonly line?: number }

export type Report = {
  problem(place: Place, wrong: string, expected: string): void
  warning(place: Place, text: string): void
  readonly warnings: string[]
  /** Throws the ConfigError that lists every problem, in the order of these files, if there is one. */
  throwIfProblems(files?: readonly string[]): void
}

/** The configuration cannot be used; one line per problem, `<file>:<line>: <wrong>; expected <what>`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

export function createReport(): Report {
  const problems: { place: Place; text: string }[] = []
  const warnings: string[] = []
  const at = ({ file, line }: Place) => (line === undefined ? file : `${file}:${line}`)
  return {
    warnings,
    problem(place, wrong, expected) {
      problems.push({ place, text: `${at(place)}: ${wrong}; expected ${expected}` })
    },
    warning(place, text) {
      warnings.push(`${at(place)}: ${text}`)
    },
    throwIfProblems(files = []) {
      if (problems.length === 0) return
      // Blocks are read after plain keys; who mends the files goes through them from the top.
      const order = [...new Set([...files, ...problems.map(({ place }) => place.file)])]
      const rank = ({ file }: Place) => order.indexOf(file)
      problems.sort(
        (a, b) => rank(a.place) - rank(b.place) || (a.place.line ?? 0) - (b.place.line ?? 0),
      )
      throw new ConfigError(problems.map(({ text }) => text))
    },
  }
}

/** A key or label as an error shows it: on one line, and not longer than one can read. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)
}
