/**
 * docs/reference/scanner.md: how the rules score, and every rule there is. The list comes from the
 * rules themselves; the scores are kept as `scan-score.ts --write` has left them, because the samples
 * they come from are not on every machine.
 */
import { ALL_RULES } from '../src/rules/all.ts'
import { type Rule } from '../src/rules/rule.ts'

const BEGIN = '<!-- scores: written by scripts/scan-score.ts -->'
const END = '<!-- /scores -->'

export function scannerPage(scores: string): string {
  const specific = ALL_RULES.filter(({ provider }) => provider !== 'generic')
  const providers = new Set(specific.map(({ provider }) => provider))
  return [
    '# Scanner rules',
    '',
    `${ALL_RULES.length} rules, ${specific.length} of them for secrets of ${providers.size} kinds and providers.` +
      ' How they work is told in [rules of the scanner](../develop/rules.md).',
    '',
    '## Scores',
    '',
    'Labelled samples of public scanners, which are not part of this repository. A secret counts as found' +
      ' when anything in its text is reported; a text without one counts as reported when anything in it' +
      ' is. Every sample counts, also those that hold no credential (markings of documents, files that' +
      ' are suspicious by their name) or only a placeholder.',
    '',
    BEGIN,
    '',
    scores,
    '',
    END,
    '',
    '## Rules',
    '',
    'Low: public by design, a test key, or half of a pair. Medium: told by the name it is assigned to.' +
      ' High: told by its form.',
    '',
    '| Rule | What it finds | Severity |',
    '| --- | --- | --- |',
    ...ALL_RULES.map(rowOf),
    '',
  ].join('\n')
}

const rowOf = ({ id, title, severity }: Rule) => `| \`${id}\` | ${title} | ${severity} |`

/** The scores that a page holds; undefined when there is no such place in it. */
export function scoresOf(page: string): string | undefined {
  const [, rest] = page.split(BEGIN)
  return rest?.split(END)[0]?.trim()
}
