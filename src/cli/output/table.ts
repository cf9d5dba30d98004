/** Columns of text as Vault prints them: four spaces between, dashes under the heads. */

const GLUE = '    '

/** Rows below their heads, each head underlined with dashes as long as itself. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const dashes = heads.map((head) => '-'.repeat(head.length))
  return columns([heads, dashes, ...rows])
}

/** Rows without heads. An empty cell is `n/a`; the last column is not padded. */
export function columns(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell.trim() === '' ? 'n/a' : cell.trim())))
  const widths: number[] = []
  for (const row of cells) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - width(cell))))
      .join(GLUE)
  return cells.map(line).join('\n')
}

/** `====== Data ======`, as wide as the table below it. */
export function heading(title: string, totalWidth: number): string {
  const space = totalWidth - (title.length + 2)
  const signs = '='.repeat(Math.ceil((space <= 0 ? 4 : space) / 2))
  return `${signs} ${title} ${signs}`
}

/** Words on lines of at most `max` characters; a longer word stays whole. */
export function wrap(text: string, max = 78): string {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > max) {
        lines.push(line)
        line = word
      } else {
        line = line === '' ? word : `${line} ${word}`
      }
    }
    lines.push(line)
  }
  return lines.join('\n')
}

/** Characters, not code units; good enough for everything but the widest scripts. */
function width(text: string): number {
  return Array.from(text).length
}
