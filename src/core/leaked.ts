/**
 * Cases of leaked secrets: where a secret was seen that should not be there. A case names the secret,
 * by its place or by the fingerprint of a finding, and the places it was seen at; it holds no value.
 *
 *   leaked/<id>   LeakCase, in the scope of its namespace; the id follows from what has leaked
 */
import { createHash } from 'node:crypto'
import { type Scope } from '../barrier/space.ts'

/** What has leaked. */
export type Leaked = {
  readonly path?: string
  readonly field?: string
  /** 0 = it is not known which. */
  readonly version?: number
  /** Of a finding whose secret is not known to be kept here. */
  readonly fingerprint?: string
}

export type LeakCase = Leaked & {
  readonly sources: readonly LeakSource[]
  readonly openedAt: number
  readonly lastAt: number
  readonly reports: number
}

/** Where it was seen, and who first said so. */
export type LeakSource = { readonly text: string; readonly at: number; readonly by: string }

export const CASES_MAX = 10_000
const SOURCES_MAX = 50
const FOLDER = 'leaked/'

export const getCase = (scope: Pick<Scope, 'get'>, id: string) => scope.get<LeakCase>(FOLDER + id)
export const caseIds = (scope: Scope) => scope.list(FOLDER)
export const closeCase = (scope: Scope, id: string) => scope.remove(FOLDER + id)

/** The same secret has the same case, however often it is reported. */
export function caseId({ path, field = '', version = 0, fingerprint = '' }: Leaked): string {
  const what = path === undefined ? ['fingerprint', fingerprint] : ['path', path, field, version]
  return createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 16)
}

export type Report = { leaked: Leaked; source: LeakSource | undefined; now: number }

/** `isNew`: nobody knew of it, or not that it is there too. Undefined = there are too many cases. */
export async function reportLeak(
  scope: Scope,
  { leaked, source, now }: Report,
): Promise<{ id: string; case: LeakCase; isNew: boolean } | undefined> {
  const id = caseId(leaked)
  const before = await getCase(scope, id)
  if (!before && (await caseIds(scope)).length >= CASES_MAX) return undefined
  const sources = before?.sources ?? []
  const isElsewhere = source !== undefined && !sources.some(({ text }) => text === source.text)
  const after: LeakCase = {
    ...before,
    ...leaked,
    sources: isElsewhere ? [...sources, source].slice(-SOURCES_MAX) : sources,
    openedAt: before?.openedAt ?? now,
    lastAt: now,
    reports: (before?.reports ?? 0) + 1,
  }
  scope.put(FOLDER + id, after)
  return { id, case: after, isNew: !before || isElsewhere }
}
