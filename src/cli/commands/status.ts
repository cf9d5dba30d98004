/** `status`: is the server there, initialised and unsealed; and the table that `operator` shares. */
import { type JsonObject } from '../../lib/json.ts'
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand } from '../command.ts'
import { refusedWith } from '../http/api.ts'
import { goValue } from '../go-text.ts'
import { showField } from '../output/secret.ts'
import { table } from '../output/table.ts'

const NO_TIME = '0001-01-01T00:00:00Z'

export const command = defineCommand({
  path: ['status'],
  summary: 'Shows whether the server is sealed',
  help:
    'Shows the seal status of the server and, when it is one of many, who leads them. ' +
    'The exit code tells a script the same.',
  examples: [
    { does: 'For people', line: 'coffer status' },
    { does: 'For scripts', line: 'coffer status -format=json' },
  ],
  exits: { 0: 'unsealed', 1: 'an error, local or remote', 2: 'sealed' },
  async run(at) {
    try {
      const status = await at.api.bare({
        method: 'GET',
        path: 'sys/seal-status',
        doing: 'Error checking seal status',
        server: true,
      })
      await showSealStatus(at, status)
      return status['sealed'] === true ? 2 : 0
    } catch (error) {
      // 2 means sealed here, and nothing else.
      if (!(error instanceof CliError)) throw error
      const { hint } = error
      throw new CliError(error.message, {
        cause: error,
        exit: 1,
        ...(hint === undefined ? {} : { hint }),
      })
    }
  },
})

/** Prints a seal status, with what the server says of its cluster. */
export async function showSealStatus(
  at: Pick<Context, 'api' | 'out' | 'settings'>,
  seal: JsonObject,
): Promise<void> {
  const status = { ...seal, ...(await leaderOf(at)) }
  if (at.settings.field !== undefined) {
    return showField(at, status[at.settings.field as keyof typeof status], at.settings.field)
  }
  if (at.out.tabular) at.out.line(table(['Key', 'Value'], rowsOf(status)))
  else at.out.structured(status)
}

async function leaderOf(at: Pick<Context, 'api'>): Promise<JsonObject> {
  try {
    const leader = await at.api.bare({
      method: 'GET',
      path: 'sys/leader',
      doing: 'Error checking leader status',
      aside: true,
      server: true,
      accept: [503],
    })
    // A sealed node of a cluster cannot say who leads it.
    if (leader['errors'] !== undefined) return { ha_enabled: true, active_time: NO_TIME }
    return leaderFields(leader)
  } catch (error) {
    if (refusedWith(error, 404)) return { ha_enabled: false, active_time: NO_TIME }
    throw error
  }
}

function leaderFields(leader: JsonObject): JsonObject {
  const shown: JsonObject = { ha_enabled: leader['ha_enabled'] === true }
  if (leader['is_self'] === true) shown['is_self'] = true
  shown['active_time'] = leader['active_time'] ?? NO_TIME
  const optional = [
    'leader_address',
    'leader_cluster_address',
    'performance_standby',
    'raft_committed_index',
    'raft_applied_index',
  ]
  for (const key of optional) {
    const value = leader[key]
    if (value !== undefined && value !== '' && value !== 0 && value !== false) shown[key] = value
  }
  return shown
}

function rowsOf(status: JsonObject): [string, string][] {
  const sealed = status['sealed'] === true
  const auto = status['recovery_seal'] === true
  const rows: [string, string][] = []
  const add = (name: string, key: string) => rows.push([name, goValue(status[key])])
  const addIfThere = (name: string, key: string) => {
    if (!['', 0, false, undefined, null, NO_TIME].includes(status[key] as string)) add(name, key)
  }
  add('Seal Type', 'type')
  if (auto) addIfThere('Recovery Seal Type', 'recovery_seal_type')
  add('Initialized', 'initialized')
  add('Sealed', 'sealed')
  add(auto ? 'Total Recovery Shares' : 'Total Shares', 'n')
  add('Threshold', 't')
  if (sealed) {
    rows.push(['Unseal Progress', `${goValue(status['progress'])}/${goValue(status['t'])}`])
    add('Unseal Nonce', 'nonce')
  }
  addIfThere('Seal Migration in Progress', 'migration')
  addIfThere('Version', 'version')
  addIfThere('Build Date', 'build_date')
  addIfThere('Storage Type', 'storage_type')
  addIfThere('Cluster Name', 'cluster_name')
  addIfThere('Cluster ID', 'cluster_id')
  add('HA Enabled', 'ha_enabled')
  if (status['ha_enabled'] === true && !sealed) {
    add('HA Cluster', 'leader_cluster_address')
    const self = status['is_self'] === true
    rows.push(['HA Mode', self ? 'active' : 'standby'])
    if (self) addIfThere('Active Since', 'active_time')
    else addIfThere('Active Node Address', 'leader_address')
  }
  addIfThere('Raft Committed Index', 'raft_committed_index')
  addIfThere('Raft Applied Index', 'raft_applied_index')
  return rows
}
