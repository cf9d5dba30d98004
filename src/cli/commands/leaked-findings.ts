/** What a scan has found, as reports of leaks: the secrets that an index knew, each once a place. */
import { printable } from '../../scan/report/report.ts'
import { CliError } from '../cli-error.ts'
import type { Api } from '../http/api.ts'

export type Leak = {
  readonly path: string
  readonly field: string
  readonly version: number
  readonly source: string
  readonly fingerprint: string
}

/** As a scan tells it with -format=jsonl. */
type Finding = {
  readonly rule?: unknown
  readonly path?: unknown
  readonly commit?: unknown
  readonly fingerprint?: unknown
  readonly vault?: unknown
}

/** `name` stands before the place of each finding: which repository it is of. */
export async function leaksIn(
  lines: AsyncIterable<string>,
  name: string,
): Promise<{ leaks: Leak[]; unknown: number }> {
  const leaks = new Map<string, Leak>()
  let unknown = 0
  let number = 0
  for await (const line of lines) {
    number++
    if (line.trim() === '') continue
    const leak = leakOf(parsed(line, number), name)
    if (leak) leaks.set(JSON.stringify(leak), leak)
    else unknown++
  }
  return { leaks: [...leaks.values()], unknown }
}

/** The text of a line goes nowhere, nor does what the parser says of it. */
function parsed(line: string, number: number): Finding {
  try {
    const finding = Object(JSON.parse(line)) as Finding
    if (typeof finding.rule === 'string') return finding
  } catch {
    // Told below.
  }
  throw new CliError(`line ${number} is no finding: scan with -format=jsonl`)
}

/** Undefined where no index knew the secret. */
export function leakOf(
  { path, commit, fingerprint, vault }: Finding,
  name: string,
): Leak | undefined {
  const at = Object(vault) as { path?: unknown; field?: unknown; version?: unknown }
  if (typeof at.path !== 'string' || typeof at.field !== 'string') return undefined
  const file = typeof commit === 'string' ? `${commit.slice(0, 12)}:${String(path)}` : String(path)
  return {
    path: at.path,
    field: printable(at.field),
    version: Number(at.version) || 0,
    source: printable([name, file].filter((part) => part !== '').join(' ')),
    fingerprint: typeof fingerprint === 'string' ? fingerprint : '',
  }
}

/** Reports one; the answer has the id of its case. */
export const sendLeak = (api: Api, leak: Leak, rotate = false) =>
  api.secret({
    method: 'PUT',
    path: 'sys/coffer/leaked',
    body: { ...leak, rotate },
    doing: `Error reporting ${leak.path === '' ? 'a fingerprint' : leak.path}`,
  })
