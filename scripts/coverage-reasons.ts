/**
 * Why an operation of the published API description is not answered. Each line is a pattern of
 * `METHOD path`, where `*` is anything; the first that fits counts. What the build has and no line
 * refuses is implemented; what it has not needs a line, or its whole engine is missing.
 */
export type Reason = {
  readonly status: 'refused' | 'not yet'
  readonly operations: readonly string[]
  readonly why: string
}

const enterprise = (...operations: string[]): Reason => ({
  status: 'refused',
  operations,
  why: 'Vault Enterprise only; answered as by the community edition',
})

export const REASONS: readonly Reason[] = [
  enterprise(
    '* /sys/config/control-group',
    '* /sys/config/group-policy-application',
    '* /sys/control-group/*',
    '* /sys/license/status',
    '* /sys/managed-keys/*',
    '* /sys/mfa/method/*',
    '* /sys/policies/egp/*',
    '* /sys/policies/rgp/*',
    '* /sys/sealwrap/rewrap',
    '* /sys/storage/raft/snapshot-auto/*',
    'GET /sys/replication/performance/*dynamic-filter*',
    'GET /sys/replication/performance/*paths-filter*',
    'GET /sys/replication/dr/secondary/license/status',
    'POST /sys/replication/*',
    'DELETE /sys/replication/*',
  ),
  {
    status: 'refused',
    operations: ['GET /sys/pprof*'],
    why: 'profiles of the Go runtime, which this server does not have',
  },
  {
    status: 'refused',
    operations: ['GET /sys/internal/counters/requests'],
    why: 'removed from Vault; answered with its words for that',
  },
]
