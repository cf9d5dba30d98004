/** What is written into hooks. POSIX sh: it runs wherever git does. */
import { type HookName, MARK } from './hook-place.ts'

/** The hook that was there before, which ours calls. */
export const NEXT = '.before-coffer'

const SCAN: Readonly<Record<HookName, string>> = {
  'pre-commit': 'scan -staged',
  'pre-push': 'scan "-pre-push=$1"',
}
const BEGIN = `${MARK}: begin`
const END = `${MARK}: end`

/** A hook that scans, then calls the one that was there. Without coffer nothing is let through. */
export function hookScript(name: HookName, coffer: string): string {
  return `#!/bin/sh
${MARK}; "coffer scan install-hook -uninstall" takes it out.
# Another tool may call this hook from the hook that is called below.
[ "$COFFER_HOOK" = ${name} ] && exit 0
export COFFER_HOOK=${name}
${run(name, coffer)}
next="$(dirname "$0")/${name}${NEXT}"
[ -x "$next" ] || exit 0
${name === 'pre-push' ? 'printf \'%s\\n\' "$told" | "$next" "$@"' : 'exec "$next" "$@"'}
`
}

/** Finds coffer, or says what to do, and scans. */
function run(name: HookName, coffer: string): string {
  const stdin = name === 'pre-push' ? 'printf \'%s\\n\' "$told" | ' : ''
  return `${name === 'pre-push' ? 'told=$(cat)\n' : ''}coffer=${quoted(coffer)}
[ -x "$coffer" ] || coffer=$(command -v coffer) || {
  echo "coffer is gone, so nothing was scanned. Install it, or: git ${name === 'pre-push' ? 'push' : 'commit'} --no-verify" >&2
  exit 1
}
${stdin}COFFER_NODE_ASKED=${quoted(process.execPath)} "$coffer" ${SCAN[name]} >&2 || exit 1`
}

const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** Lines for the end of a script that people edit, such as husky's. It need not be executable. */
export function withBlock(text: string, name: HookName, coffer: string): string {
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`
  // First of all: what comes before might end the script.
  const lines = before.split('\n')
  const head = (lines[0] ?? '').startsWith('#!') ? lines.splice(0, 1) : []
  // Husky up to version 8 looks for its helper first.
  while (/_\/husky\.sh/.test(lines[0] ?? '')) head.push(...lines.splice(0, 1))
  const script = run(name, coffer)
  const rest = name === 'pre-push' ? '\nexec <<COFFER_TOLD\n$told\nCOFFER_TOLD' : ''
  return [...head, BEGIN, script + rest, END, ...lines].join('\n')
}

export function withoutBlock(text: string): string {
  const from = text.indexOf(BEGIN)
  const to = text.indexOf(END)
  if (from < 0 || to < from) return text
  return text.slice(0, from) + text.slice(to + END.length).replace(/^\n/, '')
}

/** For lefthook, which writes its hooks itself and merges this file into its configuration. */
export function lefthookLocal(coffer: string): string {
  const word = quoted(coffer)
  const env = `env:\n        COFFER_NODE_ASKED: ${JSON.stringify(process.execPath)}`
  return `${MARK}
pre-commit:
  commands:
    coffer-scan:
      ${env}
      run: ${JSON.stringify(`${word} scan -staged`)}
pre-push:
  commands:
    coffer-scan:
      use_stdin: true
      ${env}
      run: ${JSON.stringify(`${word} scan -pre-push={1}`)}
`
}
