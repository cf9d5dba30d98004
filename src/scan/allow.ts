/**
 * Comments by which people have said that something is no secret, ours and those of the tools they
 * used before. They count for their own line, or for the next one, or until they are taken back.
 */

/** On the line of the finding. */
const HERE =
  /\b(?:coffer|gitleaks|betterleaks)\s*:\s*allow\b|\bpragma:\s*(?:allowlist|whitelist)\s+secret\b|\b(?:kingfisher|trufflehog)\s*:\s*ignore\b|\bggignore\b|\bsecretlint-disable-line\b/i
/** On the line before. */
const NEXT =
  /\bpragma:\s*(?:allowlist|whitelist)\s+nextline\s+secret\b|\bsecretlint-disable-next-line\b|\bcoffer\s*:\s*allow-next-line\b|^\s*(?:\/\/|#|--|;|\/\*|<!--)?\s*kingfisher\s*:\s*ignore\b/i
const BLOCK = /\bsecretlint-(disable|enable)(?!-)\b/gi
/** Texts without any of these words need not be looked at. */
const ANY = /allow|whitelist|ignore|secretlint-/i

export type Lines = {
  /** From 1. */
  lineAt(offset: number): number
  startOf(line: number): number
  text(line: number): string
}

/** Whether the finding between these offsets was allowed by a comment. */
export function allowed(text: string): (lines: Lines, start: number, end: number) => boolean {
  if (!ANY.test(text)) return () => false
  const blocks = blocksIn(text)
  return (lines, start, end) => {
    const first = lines.lineAt(start)
    const last = lines.lineAt(Math.max(start, end - 1))
    if (HERE.test(lines.text(first)) || (last > first && HERE.test(lines.text(last)))) return true
    if (first > 1 && NEXT.test(lines.text(first - 1))) return true
    return blocks.some(([from, to]) => from <= start && start < to)
  }
}

function blocksIn(text: string): [from: number, to: number][] {
  const blocks: [number, number][] = []
  let open = -1
  for (const { 1: word, index } of text.matchAll(BLOCK)) {
    const disables = word!.toLowerCase() === 'disable'
    if (disables && open < 0) open = index
    if (!disables && open >= 0) {
      blocks.push([open, index])
      open = -1
    }
  }
  if (open >= 0) blocks.push([open, text.length])
  return blocks
}
