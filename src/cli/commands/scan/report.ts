/** `scan -report`: the secrets that an index knew become cases on the server, each once a place. */
import type { Finding } from '../../../scan/scan.ts'
import { CliError } from '../../cli-error.ts'
import type { Context } from '../../command.ts'
import { type Leak, leakOf, sendLeak } from '../leaked-findings.ts'
import type { reportFlags } from './report-flags.ts'

type At = Pick<Context<typeof reportFlags>, 'flags' | 'io' | 'api'>

/** What comes of it is told beside the findings, which may be for a program. */
export function reporting(at: At) {
  const leaks = new Map<string, Leak>()
  let unknown = 0
  return {
    add({ path, commit, fingerprint, known }: Finding): void {
      const found = { path, commit: commit?.id, fingerprint, vault: known }
      const leak = leakOf(found, at.flags['report-source'])
      if (leak) leaks.set(JSON.stringify(leak), leak)
      else unknown++
    },
    async send(): Promise<void> {
      const say = (text: string) => void at.io.stderr.write(`${text}\n`)
      let [sent, opened] = [0, 0]
      for (const leak of leaks.values()) {
        const secret = await sendLeak(at.api, leak).catch((error: unknown) => {
          if (!(error instanceof CliError)) throw error
          throw new CliError(`${error.message}\nReported: ${sent} of ${leaks.size}`, {
            cause: error,
            hint:
              error.hint ?? 'what was found is told above; scan again with -report to report it',
          })
        })
        sent++
        if (secret?.data?.['new'] === true) opened++
        for (const warning of secret?.warnings ?? []) say(warning)
      }
      say(`Reported: ${sent}, not known before: ${opened}`)
      if (unknown > 0) say(`Not reported, no index knows them: ${unknown}`)
    },
  }
}
