/**
 * Findings that are true to the form and yet not worth a look, because of where they are: the only
 * facts here that are not about the value. Each has a reason, and whoever scans is told of each
 * (`Hints.leftOut`), so that nothing is hidden silently.
 */
import type { Rule } from './rule.ts'

type Case = {
  readonly why: string
  readonly rules: (rule: Rule) => boolean
  readonly path?: RegExp
  /** Looked for on the line of the finding and on a few lines above. */
  readonly comment?: RegExp
}

const keys = ({ id }: Rule) => id.endsWith('private-key') || id === 'private-key-header'
const generic = (rule: Rule) => rule.generic === true
const any = () => true

const CASES: readonly Case[] = [
  {
    why: 'the name of the file says that the key in it is none',
    rules: keys,
    path: /(?:^|[/_.-])(?:dummy|stub|fake|example|sample|mock)(?=[_.-])[^/]*$/i,
  },
  {
    why: 'a file of the operating system itself: programs, libraries, tables of file types',
    rules: keys,
    path: /(?:^|\/)usr\/(?:bin|sbin|share\/(?:mime|misc))\/|\.so(?:\.\d+)+$/,
  },
  {
    why: 'a released package manager, kept beside the sources as it is',
    rules: generic,
    path: /(?:^|\/)\.yarn\/releases\/yarn-[\w.-]+\.c?js$/,
  },
  {
    why: 'the hash of a password in a text for readers',
    rules: ({ id }) => id === 'password-hash',
    path: /\.(?:md|mdx|adoc|asciidoc|rst|html?)$/i,
  },
  {
    why: 'a comment beside it says that an ignore file lists it',
    rules: any,
    comment: /(?:\/\/|#|--|\/\*)[^\n]{0,120}\.(?:gitleaks|secrets|betterleaks|trufflehog)ignore\b/,
  },
]

/** Why this finding is left out, or undefined when it is not. */
export function whyLeftOut(
  { rule, start, end }: { rule: Rule; start: number; end: number },
  text: string,
  path: string | undefined,
): string | undefined {
  for (const one of CASES) {
    if (!one.rules(rule)) continue
    if (one.path !== undefined && path !== undefined && one.path.test(path)) return one.why
    if (one.comment?.test(linesAround(text, start, end)) === true) return one.why
  }
  return undefined
}

/** The line itself, and three above it. */
function linesAround(text: string, start: number, end: number): string {
  const above = text
    .slice(Math.max(0, start - 300), start)
    .split('\n')
    .slice(-4)
    .join('\n')
  const rest = text.slice(end, end + 200).split('\n', 1)[0] ?? ''
  return above + text.slice(start, Math.min(end, start + 200)) + rest
}
