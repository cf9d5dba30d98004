/**
 * What the server says of secrets that a scan has recognised, where there is a server to be asked: one
 * that was named, with a token. A hook without one prints the same and waits for nobody.
 */
import type { Finding } from '../../../scan/scan.ts'
import type { Context } from '../../command.ts'
import { connect } from '../../http/api.ts'
import { lookup } from '../../settings.ts'
import { tokenByAccessor, whereaboutsOf, wordsOf } from '../whereabouts.ts'

export type About = (finding: Finding) => Promise<readonly string[]>

const TIMEOUT_SECONDS = 5
/** Of our own service tokens: these characters are the accessor, which is no secret. */
const ACCESSOR = { from: 4, to: 28 }
/** Each is asked about once; beyond that a scan of everything would become a load. */
const ASKED_MAX = 1_000

export function aboutFrom({
  program,
  settings,
  io,
}: Pick<Context, 'program' | 'settings' | 'io'>): About | undefined {
  if (settings.token === undefined || lookup(io.env, program)('ADDR') === undefined)
    return undefined
  const patience = { retriesMax: 0, timeoutSeconds: TIMEOUT_SECONDS, wrapTtl: undefined }
  const api = connect(program, { ...settings, ...patience })
  const answers = new Map<string, readonly string[]>()
  let reachable = true

  async function ask({ known, rule, secret }: Finding): Promise<readonly string[]> {
    if (known) {
      const about = await whereaboutsOf(api, known)
      return about ? wordsOf(about) : []
    }
    return rule === 'coffer-token'
      ? tokenByAccessor(api, secret.slice(ACCESSOR.from, ACCESSOR.to))
      : []
  }

  return async (finding) => {
    const { known, rule, secret } = finding
    if (!known && rule !== 'coffer-token') return []
    const id = known ? JSON.stringify(known) : secret
    const before = answers.get(id)
    if (before || !reachable || answers.size >= ASKED_MAX) return before ?? []
    try {
      const told = await ask(finding)
      answers.set(id, told)
      return told
    } catch {
      // Findings are told with or without it.
      reachable = false
      return []
    }
  }
}
