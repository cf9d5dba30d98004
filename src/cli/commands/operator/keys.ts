/** `operator rotate`, `key-status` and `members`: the encryption key of the store, and who serves it. */
import { isObject } from '../../../lib/json.ts'
import { type Context, defineCommand } from '../../command.ts'
import { goValue } from '../../go-text.ts'
import { showData } from '../../output/secret.ts'
import { columns, table } from '../../output/table.ts'

async function showKeyStatus(
  at: Pick<Context, 'api' | 'out' | 'settings'>,
  doing: string,
): Promise<void> {
  const secret = await at.api.secret({ method: 'GET', path: 'sys/key-status', doing, strict: true })
  const status = secret?.data ?? {}
  if (!at.out.tabular || at.settings.field !== undefined) return showData(at, status)
  at.out.line(
    columns([
      ['Key Term', goValue(status['term'])],
      ['Install Time', installTime(goValue(status['install_time']))],
      ['Encryption Count', goValue(status['encryptions'])],
    ]),
  )
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** RFC 822 as Go writes it: `02 Jan 26 15:04 UTC`. */
function installTime(rfc3339: string): string {
  const time = new Date(rfc3339)
  if (Number.isNaN(time.getTime())) return rfc3339
  const two = (number: number) => `${number}`.padStart(2, '0')
  const day = `${two(time.getUTCDate())} ${MONTHS[time.getUTCMonth()]} ${two(time.getUTCFullYear() % 100)}`
  return `${day} ${two(time.getUTCHours())}:${two(time.getUTCMinutes())} UTC`
}

export const rotate = defineCommand({
  path: ['operator', 'rotate'],
  summary: 'Makes a new encryption key for what is written from now on',
  help: 'Makes a new key for the store. Old entries stay readable; the unseal keys do not change.',
  examples: [{ does: 'Now', line: 'coffer operator rotate' }],
  async run(at) {
    await at.api.call({ method: 'PUT', path: 'sys/rotate', doing: 'Error rotating key' })
    if (at.out.tabular) at.out.line('Success! Rotated key\n')
    await showKeyStatus(at, 'Error reading key status')
  },
})

export const keyStatus = defineCommand({
  path: ['operator', 'key-status'],
  summary: 'Shows the age and the use of the encryption key',
  examples: [{ does: 'Now', line: 'coffer operator key-status' }],
  run: (at) => showKeyStatus(at, 'Error reading key status'),
})

const COLUMNS = [
  ['Host Name', 'hostname'],
  ['API Address', 'api_address'],
  ['Cluster Address', 'cluster_address'],
  ['Active Node', 'active_node'],
  ['Version', 'version'],
  ['Upgrade Version', 'upgrade_version'],
  ['Redundancy Zone', 'redundancy_zone'],
  ['Last Echo', 'last_echo'],
] as const

export const members = defineCommand({
  path: ['operator', 'members'],
  summary: 'Lists the nodes that serve this store',
  examples: [{ does: 'All of them', line: 'coffer operator members' }],
  async run(at) {
    const doing = 'Error getting HA status'
    const secret = await at.api.secret({
      method: 'GET',
      path: 'sys/ha-status',
      doing,
      strict: true,
    })
    const data = secret?.data ?? secret?.raw ?? {}
    if (!at.out.tabular) return at.out.structured(data)
    const nodes = Array.isArray(data['nodes']) ? data['nodes'].filter(isObject) : []
    const cell = (value: unknown) => (value === undefined || value === null ? '' : goValue(value))
    const rows = nodes.map((node) => COLUMNS.map(([, key]) => cell(node[key])))
    at.out.line(
      table(
        COLUMNS.map(([name]) => name),
        rows,
      ),
    )
  },
})
