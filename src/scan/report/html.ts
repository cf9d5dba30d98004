/** One page that needs nothing else: a table that can be filtered. It loads nothing and sends nothing. */
import { createHash } from 'node:crypto'
import { nameOf } from '../../rules/fingerprints.ts'
import type { Out, Reporter, Shown } from './report.ts'
import { closing } from './text.ts'

const STYLE = `:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
input{font:inherit;width:100%;padding:.5rem;box-sizing:border-box;margin:1rem 0}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.high{color:#c22}.medium{color:#b60}.low{color:#777}`

const SCRIPT = `const box=document.querySelector('input'),rows=[...document.querySelectorAll('tbody tr')],
told=document.querySelector('#told');
box.addEventListener('input',()=>{const words=box.value.toLowerCase().split(/\\s+/).filter(Boolean);let n=0;
for(const row of rows){const text=row.textContent.toLowerCase();
row.hidden=!words.every((word)=>text.includes(word));if(!row.hidden)n++}
told.textContent=n+' of '+rows.length})`

export function html(out: Out): Reporter {
  const rows: string[] = []
  return {
    finding: (finding) => void rows.push(rowOf(finding)),
    end(summary) {
      const csp = `default-src 'none'; style-src '${hashOf(STYLE)}'; script-src '${hashOf(SCRIPT)}'`
      const closed = closing(summary).map((line) => `<p>${escape(line)}</p>`)
      out.write(
        `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">` +
          `<meta http-equiv="Content-Security-Policy" content="${escape(csp)}">` +
          `<meta name="viewport" content="width=device-width,initial-scale=1">` +
          `<title>coffer scan</title><style>${STYLE}</style></head><body>\n` +
          `<h1>coffer scan</h1>\n${closed.join('\n')}\n` +
          `<label>Filter <input type="search" placeholder="path, rule, author, commit"></label>\n` +
          `<p id="told" role="status">${rows.length} of ${rows.length}</p>\n` +
          `<table><thead><tr><th>Where</th><th>What</th><th>Line</th><th>Commit</th></tr></thead>\n` +
          `<tbody>\n${rows.join('\n')}\n</tbody></table>\n<script>${SCRIPT}</script></body></html>\n`,
      )
    },
  }
}

function rowOf({
  path,
  line,
  column,
  rule,
  title,
  severity,
  context,
  commit,
  known,
}: Shown): string {
  const vault = known ? `<br>vault: ${escape(nameOf(known))}` : ''
  const who = commit
    ? `<code>${escape(commit.id.slice(0, 12))}</code><br>${escape(commit.date.slice(0, 10))} ${escape(commit.author)}`
    : ''
  return (
    `<tr><td><code>${escape(path)}:${line}:${column}</code></td>` +
    `<td class="${severity}">${escape(title)}<br><small>${escape(rule)}</small>${vault}</td>` +
    `<td><code>${escape(context.text)}</code></td><td>${who}</td></tr>`
  )
}

const hashOf = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`

const escape = (text: string) =>
  text.toWellFormed().replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`)
