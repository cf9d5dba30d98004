/** Finds the keywords of all rules: at first in the way that is ready at once, then in the fast one. */
import { probesOf } from './keyword-probe.ts'
import { automatonOf, type KeywordScan } from './keyword-scan.ts'

/** Units that are read before the automaton is worth its making. */
const PROBED_UNITS = 512 * 1024

export function compileKeywords(keywords: readonly string[]): KeywordScan {
  const wrong = keywords.find((word) => !/^[\0-@[-\x7f]+$/.test(word))
  if (wrong !== undefined) throw new Error(`a keyword must be lower case ASCII: ${wrong}`)
  let read = 0
  let scan: KeywordScan | undefined
  const probe = keywords.every((word) => word.length > 1) ? probesOf(keywords) : undefined
  return (text, onHit) => {
    read += text.length
    if (scan === undefined && (probe === undefined || read > PROBED_UNITS))
      scan = automatonOf(keywords)
    const one = scan ?? probe!
    one(text, onHit)
  }
}
