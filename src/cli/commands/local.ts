/** Small ones: version, print token, path-help. */
import { BUILD_DATE, BUILD_ID, COFFER_VERSION, reportedVaultVersion } from '../../lib/version.ts'
import { CliError } from '../cli-error.ts'
import { defineCommand } from '../command.ts'
import { trimSlashes } from '../paths.ts'

const version = defineCommand({
  path: ['version'],
  summary: 'Prints the version',
  help: 'Prints the version of coffer; started under the name vault or bao, the Vault version it answers as.',
  examples: [{ does: 'Its own version, and the one it answers as', line: 'coffer version' }],
  globals: false,
  run({ program, out, io }) {
    if (program === 'coffer') {
      out.line(`coffer ${COFFER_VERSION} (answers as Vault ${reportedVaultVersion(io.env)})`)
    } else {
      out.line(`Vault v${reportedVaultVersion(io.env)} (${BUILD_ID}), built ${BUILD_DATE}`)
    }
  },
})

const printToken = defineCommand({
  path: ['print', 'token'],
  summary: 'Prints the token that commands would use',
  help: 'Prints the token of the environment or of ~/.vault-token, so that other programs can use it.',
  examples: [
    { does: 'In another command', line: 'curl -H "X-Vault-Token: $(coffer print token)" …' },
  ],
  run({ settings, out }) {
    out.line(settings.token ?? '')
  },
})

const pathHelp = defineCommand({
  path: ['path-help'],
  summary: 'Shows what a path of the API takes',
  examples: [
    { does: 'An engine', line: 'coffer path-help secret' },
    { does: 'One endpoint of it', line: 'coffer path-help auth/approle/role/app' },
  ],
  args: [{ name: 'path', help: 'Path of the API, without /v1/.' }],
  async run({ api, args, out }) {
    const path = trimSlashes(args[0]!)
    const query = { help: '1' }
    const doing = `Error retrieving help for ${path}`
    const found = await api.bare({ method: 'GET', path, query, doing })
    const text = found['help']
    if (!out.tabular) return out.structured(found)
    if (typeof text !== 'string') throw new CliError(`No help found at ${path}`, { exit: 2 })
    out.line(text.trimEnd())
  },
})

export const commands = [version, printToken, pathHelp]
