/** `plugin list`, `plugin info`, and `version-history`: what the server is made of. */
import { isObject } from '../../lib/json.ts'
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand } from '../command.ts'
import { goTime, goValue } from '../go-text.ts'
import { showData, showSecret } from '../output/secret.ts'
import { table } from '../output/table.ts'

const TYPES = ['auth', 'database', 'secret']

const list = defineCommand({
  path: ['plugin', 'list'],
  summary: 'Lists the engines and auth methods there are',
  examples: [
    { does: 'All of them', line: 'coffer plugin list' },
    { does: 'Auth methods', line: 'coffer plugin list auth' },
  ],
  args: [{ name: 'type', help: 'Only this type: auth, database or secret.', optional: true }],
  async run(at) {
    const type = at.args[0]
    if (type !== undefined && !TYPES.includes(type)) {
      throw new CliError(`the type of a plugin must be one of ${TYPES.join(', ')}`)
    }
    const doing = 'Error listing available plugins'
    const secret = await at.api.secret({
      method: 'GET',
      path: 'sys/plugins/catalog',
      doing,
      strict: true,
    })
    const data = secret?.data ?? {}
    if (!at.out.tabular || at.settings.field !== undefined) return showData(at, data)
    const found = Array.isArray(data['detailed']) ? data['detailed'].filter(isObject) : []
    const plugins = found.filter((plugin) => type === undefined || plugin['type'] === type)
    const keys = [
      'name',
      'type',
      'version',
      ...(at.settings.detailed ? ['deprecation_status'] : []),
    ]
    const rows = plugins.map((plugin) => keys.map((key) => goValue(plugin[key] ?? '')))
    rows.sort((a, b) => (`${a[1]} ${a[0]}` < `${b[1]} ${b[0]}` ? -1 : 1))
    const heads = [
      'Name',
      'Type',
      'Version',
      ...(at.settings.detailed ? ['Deprecation Status'] : []),
    ]
    at.out.line(table(heads, rows))
  },
})

const info = defineCommand({
  path: ['plugin', 'info'],
  summary: 'Shows what is known of one plugin',
  examples: [{ does: 'The KV engine', line: 'coffer plugin info secret kv' }],
  args: [
    { name: 'type', help: 'auth, database or secret.' },
    { name: 'name', help: 'Name of the plugin.' },
  ],
  async run(at) {
    const [type, name] = at.args
    const path = `sys/plugins/catalog/${type}/${name}`
    const doing = `Error reading plugin named ${name}`
    const secret = await at.api.secret({ method: 'GET', path, doing })
    if (secret === undefined) throw new CliError(`No plugin named: ${name}`, { exit: 2 })
    showSecret(at, secret)
  },
})

const versionHistory = defineCommand({
  path: ['version-history'],
  summary: 'Shows which versions the server has run',
  examples: [{ does: 'All of them', line: 'coffer version-history' }],
  async run(at: Pick<Context, 'api' | 'out' | 'settings'>) {
    const path = 'sys/version-history'
    const doing = 'Error reading version history'
    const secret = await at.api.secret({ method: 'LIST', path, doing, strict: true })
    const data = secret?.data
    const keys = data?.['keys']
    if (secret === undefined || !Array.isArray(keys)) {
      throw new CliError('No versions found in the history', { exit: 2 })
    }
    if (!at.out.tabular || at.settings.field !== undefined) return showSecret(at, secret)
    const infos = isObject(data?.['key_info']) ? data['key_info'] : {}
    const rows = keys.map(String).map((version) => {
      const about = isObject(infos[version]) ? infos[version] : {}
      const text = (key: string) => goTime(goValue(about[key] ?? ''))
      return [version, text('timestamp_installed'), text('build_date')]
    })
    at.out.line(table(['Version', 'Installation Time', 'Build Date'], rows))
  },
})

export const commands = [list, info, versionHistory]
