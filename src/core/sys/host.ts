/** What load balancers, monitors and consoles ask about this server. Nothing of it is secret. */
import { hostname } from 'node:os'
import { Failure } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { bare } from '../../kit/reply.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { type InFlight } from '../in-flight.ts'
import { hostInfo } from './host-info.ts'
import { sealStatus } from './seal.ts'

export type HostOptions = { inFlight?: InFlight }

export function hostEndpoints(core: Core, options: HostOptions = {}): Endpoint[] {
  return [
    healthEndpoint(core),
    leaderEndpoint(),
    haStatusEndpoint(core),
    stepDownEndpoint(),
    ...replicationEndpoints(),
    hostInfoEndpoint(core),
    inFlightEndpoint(options.inFlight),
    versionHistoryEndpoint(core),
  ]
}

const PROBE = { access: 'public', whenSealed: true, unaudited: true } as const
const CODE_HELP = 'The status code to answer with in that state.'
const OK_HELP = 'Taken for compatibility: this server is never a standby.'

function healthEndpoint(core: Core): Endpoint {
  const code = () => t.string({ help: CODE_HELP, clear: true })
  const ok = () => t.string({ help: OK_HELP, clear: true })
  return endpoint('health', {
    help: 'Whether the server is initialized, unsealed and answering; says it by the status too.',
    ...PROBE,
    fields: {
      activecode: code(),
      sealedcode: code(),
      uninitcode: code(),
      standbycode: code(),
      drsecondarycode: code(),
      performancestandbycode: code(),
      removedcode: code(),
      haunhealthycode: code(),
      standbyok: ok(),
      perfstandbyok: ok(),
    },
    async read({ data, now }) {
      for (const [name, value] of Object.entries(data)) if (name.endsWith('code')) statusOf(value)
      const status = await sealStatus(core)
      const { initialized, sealed } = status
      const code = !initialized
        ? (statusOf(data.uninitcode) ?? 501)
        : sealed
          ? (statusOf(data.sealedcode) ?? 503)
          : (statusOf(data.activecode) ?? 200)
      return bare(
        {
          initialized,
          sealed,
          standby: false,
          performance_standby: false,
          replication_performance_mode: 'disabled',
          replication_dr_mode: 'disabled',
          server_time_utc: Math.floor(now / 1000),
          version: core.settings.version,
          enterprise: false,
          ...(!sealed && {
            cluster_name: status['cluster_name'],
            cluster_id: status['cluster_id'],
          }),
          echo_duration_ms: 0,
          clock_skew_ms: 0,
          replication_primary_canary_age_ms: 0,
        },
        code,
      )
    },
  })
}

/** A code of the caller's choice; Vault answers what is none with an empty 400. */
function statusOf(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined
  const code = Number(value)
  if (!/^\d{3}$/.test(value) || code < 200 || code > 599) throw new Failure('bad_request', '')
  return code
}

const NEVER = '0001-01-01T00:00:00Z'

/** Every process serves reads and writes, so there is no leader to be told about. */
function leaderEndpoint(): Endpoint {
  return endpoint('leader', {
    help: 'Who leads. Nodes of this server are equal, so nobody does.',
    ...PROBE,
    fields: {},
    read: () =>
      bare({
        ha_enabled: false,
        is_self: false,
        active_time: NEVER,
        leader_address: '',
        leader_cluster_address: '',
        performance_standby: false,
        performance_standby_last_remote_wal: 0,
      }),
  })
}

function haStatusEndpoint(core: Core): Endpoint {
  return endpoint('ha-status', {
    help: 'The nodes: this one, which is active.',
    injected: true,
    fields: {},
    read: () => ({
      nodes: [
        {
          hostname: hostname(),
          api_address: core.settings.apiAddr,
          cluster_address: '',
          active_node: true,
          last_echo: null,
          version: core.settings.version,
          upgrade_version: core.settings.version,
        },
      ],
    }),
  })
}

function stepDownEndpoint(): Endpoint {
  return endpoint('step-down', {
    help: 'Accepted; there is no leadership to give up.',
    access: 'sudo',
    fields: {},
    write: () => undefined,
  })
}

function replicationEndpoints(): Endpoint[] {
  const disabled = { mode: 'disabled' }
  const status = (path: string, data: Record<string, unknown>) =>
    endpoint(path, {
      help: 'Replication as Vault Enterprise has it: always disabled.',
      access: 'public',
      fields: {},
      read: () => data,
    })
  return [
    status('replication/status', { dr: disabled, performance: disabled }),
    status('replication/dr/status', disabled),
    status('replication/performance/status', disabled),
  ]
}

function hostInfoEndpoint(core: Core): Endpoint {
  return endpoint('host-info', {
    help: 'Processors, memory and disk of the machine.',
    fields: {},
    read: () => hostInfo(core.clock.now()),
  })
}

function inFlightEndpoint(inFlight: InFlight | undefined): Endpoint {
  return endpoint('in-flight-req', {
    help: 'The requests that this process is serving now.',
    fields: {},
    read: () =>
      bare(
        Object.fromEntries(
          (inFlight?.list() ?? []).map((request) => [
            request.id,
            {
              start_time: rfc3339(request.receivedAt),
              client_remote_address: `${request.remoteAddress}:${request.remotePort}`,
              request_path: request.path,
              request_method: request.method,
              client_id: '',
            },
          ]),
        ),
      ),
  })
}

/** Upgrades are not recorded: what runs now, since this process has started. */
function versionHistoryEndpoint(core: Core): Endpoint {
  return endpoint('version-history', {
    help: 'The version that runs, and since when.',
    fields: {},
    list: () => ({
      keys: [core.settings.version],
      key_info: {
        [core.settings.version]: {
          build_date: core.settings.buildDate,
          previous_version: null,
          timestamp_installed: rfc3339(core.startedAt),
        },
      },
    }),
  })
}
