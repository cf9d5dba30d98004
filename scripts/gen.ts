/**
 * Writes docs/reference/ from the declarations of the program: the API of every engine, the
 * commands, the configuration language, the failures. `test/docs.test.ts` says when it is stale.
 *
 *   npm run gen
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { cliMarkdown } from '../src/cli/markdown.ts'
import { enginePage, pageName } from '../src/derive/markdown.ts'
import { type Engine } from '../src/kit/engine.ts'
import { FAILURES, type FailureCode } from '../src/kit/failure.ts'
import { configMarkdown } from '../src/server/config-markdown.ts'
import { openCore } from '../src/server/server.ts'
import { coveragePage } from './coverage-page.ts'
import { scannerPage, scoresOf } from './scanner-page.ts'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDER = 'docs/reference'

/** Every generated page: its path below the root, and its text. */
export async function generatedPages(): Promise<Map<string, string>> {
  const engines = await everyEngine()
  const pages = new Map<string, string>([
    ['cli.md', await cliMarkdown()],
    ['config.md', configMarkdown()],
    ['errors.md', errorsPage()],
    ['coverage.md', coveragePage(engines)],
    ['scanner.md', scannerPage(scoresOf(textOf(join(ROOT, FOLDER, 'scanner.md')) ?? '') ?? '')],
    ['api/README.md', apiIndex(engines)],
    ...engines.map((engine): [string, string] => [
      `api/${pageName(engine)}`,
      enginePage(engine, mountedAt(engine)),
    ]),
  ])
  return new Map([...pages].map(([name, text]) => [`${FOLDER}/${name}`, text]))
}

/** Pages of an engine that is gone, or of another name before. */
export function strayPages(pages: ReadonlyMap<string, string>): string[] {
  return globSync(`${FOLDER}/**/*.md`, { cwd: ROOT }).filter((path) => !pages.has(path))
}

/** What a server has: an engine that is not in this list is not in the build either. */
export async function everyEngine(): Promise<readonly Engine[]> {
  const { core } = openCore({ storage: { type: 'inmem' }, listeners: [], log: () => {} })
  const { engines } = core
  await core.close()
  return engines
}

/** The path of an engine's examples: the one place it can have, or the usual one. */
function mountedAt(engine: Engine): string {
  const usual: Record<string, string> = { system: 'sys/', kv: 'secret/' }
  return usual[engine.type] ?? `${engine.class === 'auth' ? 'auth/' : ''}${engine.type}/`
}

function apiIndex(engines: readonly Engine[]): string {
  const rows = engines.map((engine) => {
    const name = `${engine.type}${engine.version ? ` version ${engine.version}` : ''}`
    return `| [${name}](${pageName(engine)}) | \`/v1/${mountedAt(engine)}\` | ${engine.help} |`
  })
  return [
    '# HTTP API',
    '',
    'Every endpoint of every engine in this build, generated from its declarations. The conventions' +
      ' are those of the Vault HTTP API: the token in `X-Vault-Token`, JSON bodies, `LIST` or' +
      ' `GET ?list=true` for names. What is not listed here is not there.',
    '',
    '| Engine | Paths here | What it is |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '## Without a token',
    '',
    'These answer to anyone; what is not named here asks for a token and a policy.',
    '',
    '```text',
    ...openEndpoints(engines),
    '```',
    '',
    'How a request fails is told in [errors](../errors.md).',
    '',
  ].join('\n')
}

/** Where an endpoint needs no token, as the paths of a usual server. */
export function openEndpoints(engines: readonly Engine[]): string[] {
  return engines.flatMap((engine) =>
    engine.endpoints
      .filter(({ access }) => access === 'login' || access === 'public')
      .map(({ path }) => `/v1/${mountedAt(engine)}${path}`),
  )
}

/** When each failure is given. The compiler asks for a line when the catalogue gets a code. */
const WHEN: Readonly<Record<FailureCode, string>> = {
  bad_request: 'The request makes no sense, or its fields do not fit.',
  permission_denied: 'No token, a token that is not valid, or no policy that grants this.',
  not_found: 'There is nothing at this path. The list of errors may be empty.',
  unsupported_path: 'The mount has no such endpoint.',
  unsupported_operation: 'The endpoint does not know this method.',
  held: 'A rotation is asked for while somebody holds the credential before, or it is on hold. The text names who.',
  precondition_failed: 'The listener wants a header that is not there.',
  too_large: 'The body is larger than the listener allows for this path.',
  unsupported_media_type: 'A compressed body, or a PATCH that is not a merge patch.',
  too_many_requests: 'Kept for limits on the rate of requests, of which this build has none.',
  internal:
    'Trouble of the server: the log has more, under the id of the request. Whether a write happened is unknown; read to find out.',
  audit_failed: 'No audit device took the entry. A token or lease the request has made is ended.',
  storage_failed: 'Kept for trouble of the store, which this build tells as `internal`.',
  conflict: 'Others changed what this request read, again and again. Nothing was written.',
  sealed: 'The server is sealed.',
  namespace_locked: 'An administrator has locked the namespace, or one above it.',
  overloaded: 'Too many requests are in flight. `Retry-After` says when to try again.',
  timed_out: 'A rotation is taken up and goes on, but is not done in the time that was given.',
}

/** A request with these did nothing and may be sent again as it is. */
const AGAIN: ReadonlySet<FailureCode> = new Set([
  'too_many_requests',
  'conflict',
  'sealed',
  'namespace_locked',
  'overloaded',
])

function errorsPage(): string {
  const codes = Object.keys(FAILURES) as FailureCode[]
  const rows = codes.map((code) => {
    const { status, text } = FAILURES[code]
    const again = AGAIN.has(code) ? 'yes' : ''
    return `| \`${code}\` | ${status} | ${text && `\`${text}\``} | ${again} | ${WHEN[code]} |`
  })
  return [
    '# Errors',
    '',
    'A request that fails is answered with a status and `{"errors": [...]}`. The texts are for' +
      ' people: those below are the usual ones, and many endpoints say more. No text ever holds a' +
      ' value of the request. This page is generated from the catalogue of failures.',
    '',
    '| Code | Status | Usual text | Send again | When |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'The code is the name of the failure in the sources; it is not sent.',
    '',
  ].join('\n')
}

if (import.meta.main) {
  const pages = await generatedPages()
  for (const path of strayPages(pages)) {
    rmSync(join(ROOT, path))
    console.log(`removed ${path}`)
  }
  for (const [path, text] of pages) {
    const file = join(ROOT, path)
    mkdirSync(dirname(file), { recursive: true })
    if (textOf(file) === text) continue
    writeFileSync(file, text)
    console.log(`wrote ${path}`)
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
