/**
 * The keys of the configuration outside listeners, and the list of all tables in the order in
 * which the reference page shows them.
 */
import { bool, duration, integer, oneOf, path, stringMap, text, url } from './config-kinds.ts'
import { LISTENER_KEYS, LISTENER_TELEMETRY_KEYS } from './config-listener-keys.ts'
import { block, ignored, read, readOr, refused, type Table } from './config-table.ts'

export const LEASE_TTL_SECONDS = 2_764_800
export const WORKERS_MAX = 64

const logLevel = oneOf({
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  err: 'error',
})
const logFormat = oneOf({ standard: 'standard', json: 'json' })

const NO_PLUGINS = 'engines are built in; no programs are loaded'
const NO_STANDBY = 'nodes on one store are equal, there is no standby'
const EXACT_CACHES = 'caches are exact, there is nothing to size or switch off'
const ROTATE_OUTSIDE = 'rotate the file with a tool such as logrotate, and send SIGHUP'
const NO_ENTERPRISE = 'it belongs to a product feature that does not exist here'
const NO_SUCH_ENDPOINT = 'there is no such endpoint'

export const TOP_KEYS = {
  storage: block(
    'storage "sqlite" { … }',
    1,
    'Where data is kept. Of several files the last wins.',
  ),
  backend: block('backend "sqlite" { … }', 1, 'The older name of `storage`.'),
  listener: block('listener "tcp" { … }', 1, 'An address to serve. May be repeated.'),
  seal: block('seal "static" { … }', 1, 'Who holds the root key; without it, `shamir`.'),
  audit: block('audit "file" "name" { … }', 1, 'An audit device. May be repeated.'),
  telemetry: block('telemetry { … }', 0, 'Metrics.'),
  user_lockout: block(
    'user_lockout "all" { … }',
    1,
    'When failed logins lock a user out; `userpass`, `ldap` and `approle` may have their own.',
  ),
  api_addr: read(url, 'The address clients reach this node at, as a URL.', {
    env: ['VAULT_API_ADDR'],
  }),
  cluster_addr: read(url, 'Shown to clients that ask; nodes do not talk to each other.', {
    env: ['VAULT_CLUSTER_ADDR'],
  }),
  cluster_name: read(text, 'The name shown by `sys/health`; generated when absent.'),
  default_lease_ttl: read(
    duration(0),
    'How long tokens and leases live unless told otherwise; 768h, or `max_lease_ttl` if shorter.',
  ),
  max_lease_ttl: readOr(duration(0), LEASE_TTL_SECONDS, 'How long they may live at most.'),
  default_max_request_duration: readOr(
    duration(0),
    90,
    'How long a request may take, where the listener does not say.',
  ),
  log_level: readOr(logLevel, 'info', 'How much is logged: `trace` to `error`.', {
    env: ['COFFER_LOG_LEVEL', 'VAULT_LOG_LEVEL'],
  }),
  log_format: readOr(logFormat, 'standard', '`standard` lines, or one JSON object a line.'),
  log_file: read(path, 'Where the log goes; without it, to standard error.'),
  pid_file: read(path, 'A file to write the process id to.'),
  ui: readOr(bool, false, 'Taken, and nothing comes of it: this build has no browser app.'),
  workers: readOr(
    integer(1, WORKERS_MAX),
    1,
    'Processes that serve one address. More than 1 needs `sqlite`.',
  ),
  disable_mlock: readOr(
    bool,
    false,
    'Accepted as in Vault. Memory is never locked: run without swap, or with encrypted swap.',
  ),
  raw_storage_endpoint: readOr(
    bool,
    false,
    'Whether `sys/raw` is there: entries of the store below all rules. For repairs only.',
  ),
  ha_storage: ignored(NO_STANDBY),
  disable_clustering: ignored(NO_STANDBY),
  disable_performance_standby: ignored(NO_STANDBY),
  disable_standby_reads: ignored(NO_STANDBY),
  replication: ignored(NO_ENTERPRISE),
  service_registration: ignored('let the service manager or orchestrator register the server'),
  license_path: ignored('no licence is needed'),
  reporting: ignored('nothing is reported to anyone'),
  cache_size: ignored(EXACT_CACHES),
  disable_cache: ignored(EXACT_CACHES),
  plugin_directory: ignored(NO_PLUGINS),
  plugin_tmpdir: ignored(NO_PLUGINS),
  plugin_file_uid: ignored(NO_PLUGINS),
  plugin_file_permissions: ignored(NO_PLUGINS),
  plugin: ignored(NO_PLUGINS),
  plugin_auto_download: ignored(NO_PLUGINS),
  plugin_auto_register: ignored(NO_PLUGINS),
  plugin_download_behavior: ignored(NO_PLUGINS),
  disable_sealwrap: ignored('every record is sealed once, under the root key'),
  disable_printable_check: ignored('paths with control characters are always refused'),
  disable_indexing: ignored(NO_ENTERPRISE),
  disable_ssct_tokens: ignored('tokens are not tied to a node'),
  allow_unauthenticated_workflows: ignored(NO_SUCH_ENDPOINT),
  introspection_endpoint: ignored(NO_SUCH_ENDPOINT),
  enable_response_header_hostname: ignored('answers do not name the machine'),
  enable_response_header_raft_node_id: ignored('answers do not name the machine'),
  allow_audit_log_prefixing: ignored('audit devices take no prefix'),
  imprecise_lease_role_tracking: ignored('leases are always counted exactly'),
  detect_deadlocks: ignored('there are no locks to watch'),
  experiments: ignored(NO_ENTERPRISE),
  request_limiter: ignored('requests in flight are always limited'),
  log_requests_level: ignored('use an audit device to see requests'),
  log_rotate_duration: ignored(ROTATE_OUTSIDE),
  log_rotate_bytes: ignored(ROTATE_OUTSIDE),
  log_rotate_max_files: ignored(ROTATE_OUTSIDE),
  enable_post_unseal_trace: ignored(NO_ENTERPRISE),
  post_unseal_trace_directory: ignored(NO_ENTERPRISE),
  entropy: refused('keys would not come from the source it names', 'it left out'),
  hsm: refused('keys would not be kept in the HSM', 'it left out, and seal "static" or "shamir"'),
  kms_library: refused(
    'keys would not be kept in the HSM',
    'it left out, and seal "static" or "shamir"',
  ),
  enable_multiseal: refused('there is one seal only', 'it left out, or false', false),
  initialize: refused(
    'the server would wait for whoever initializes it first',
    'it left out, and "coffer operator init" after the first start',
  ),
  sentinel: refused('its policies would not be enforced', 'it left out'),
  administrative_namespace_path: refused('the namespace would not be restricted', 'it left out'),
  unsafe_allow_api_audit_creation: refused(
    'audit devices can be created through the API by tokens with sudo',
    'it left out, or true',
    true,
  ),
} satisfies Table

const MIGRATION = 'a store cannot be moved between kinds of seals'
const ONE_SEAL = 'there is one seal only'

export const SHAMIR_KEYS = {
  disabled: refused(MIGRATION, 'it left out, or false', false),
  name: ignored(ONE_SEAL),
  priority: ignored(ONE_SEAL),
} satisfies Table

const KEY_FORMS = 'file:///path, env://NAME, or 32 bytes in hex or base64'

export const STATIC_KEYS = {
  ...SHAMIR_KEYS,
  current_key_id: read(text, 'The name of the key. A new key needs a new name.', {
    required: 'current_key_id = "…", a name for the key such as "2026-01"',
  }),
  current_key: read(
    text,
    'The key, 32 bytes: `file:///path`, `env://NAME`, hex or base64. A file may not be readable by group or others.',
    { secret: true, required: `current_key = "…": ${KEY_FORMS}` },
  ),
  previous_key_id: read(text, 'The name of the key that `current_key` replaces.'),
  previous_key: read(text, 'The key that `current_key` replaces, in the same forms.', {
    secret: true,
  }),
} satisfies Table

export const SQLITE_KEYS = {
  path: read(path, 'The database file. It and its folder are created, for the owner only.', {
    required: 'path = "…", the file to keep the data in',
  }),
} satisfies Table

export const FILE_KEYS = {
  path: read(path, 'A folder. The database is `coffer.db` in it.', {
    required: 'path = "…", the folder to keep the data in',
  }),
  max_entry_size: ignored('max_request_size limits entries'),
} satisfies Table

export const INMEM_KEYS = {} satisfies Table

export const AUDIT_KEYS = {
  path: read(
    text,
    'Where `sys/audit` shows the device, in a block with one label; without it, the type.',
  ),
  description: readOr(text, '', 'Words for people.'),
  options: read(
    stringMap,
    'What the device takes; for `file`: `file_path`, `mode`, `prefix`, `hmac_accessor`.',
  ),
  local: ignored('every node writes to every device'),
} satisfies Table

const NO_PUSH = 'metrics are not pushed; let Prometheus read them from sys/metrics'
const FIXED_METRICS = 'what is measured is fixed'

export const TELEMETRY_KEYS = {
  prometheus_retention_time: readOr(
    duration(0),
    86_400,
    'How long metrics are kept; `0` switches them off.',
  ),
  disable_hostname: readOr(bool, false, 'Leaves the host name out of metrics.'),
  enable_hostname_label: ignored(FIXED_METRICS),
  metrics_prefix: ignored(FIXED_METRICS),
  usage_gauge_period: ignored(FIXED_METRICS),
  maximum_gauge_cardinality: ignored(FIXED_METRICS),
  lease_metrics_epsilon: ignored(FIXED_METRICS),
  num_lease_metrics_buckets: ignored(FIXED_METRICS),
  add_lease_metrics_namespace_labels: ignored(FIXED_METRICS),
  add_mount_point_rollback_metrics: ignored(FIXED_METRICS),
  filter_default: ignored(FIXED_METRICS),
  prefix_filter: ignored(FIXED_METRICS),
  statsite_address: ignored(NO_PUSH),
  statsd_address: ignored(NO_PUSH),
  dogstatsd_addr: ignored(NO_PUSH),
  dogstatsd_tags: ignored(NO_PUSH),
  circonus_api_token: ignored(NO_PUSH),
  circonus_api_app: ignored(NO_PUSH),
  circonus_api_url: ignored(NO_PUSH),
  circonus_submission_interval: ignored(NO_PUSH),
  circonus_submission_url: ignored(NO_PUSH),
  circonus_check_id: ignored(NO_PUSH),
  circonus_check_force_metric_activation: ignored(NO_PUSH),
  circonus_check_instance_id: ignored(NO_PUSH),
  circonus_check_search_tag: ignored(NO_PUSH),
  circonus_check_display_name: ignored(NO_PUSH),
  circonus_check_tags: ignored(NO_PUSH),
  circonus_broker_id: ignored(NO_PUSH),
  circonus_broker_select_tag: ignored(NO_PUSH),
  stackdriver_project_id: ignored(NO_PUSH),
  stackdriver_location: ignored(NO_PUSH),
  stackdriver_namespace: ignored(NO_PUSH),
  stackdriver_debug_logs: ignored(NO_PUSH),
} satisfies Table

export const LOCKOUT_KEYS = {
  lockout_threshold: read(integer(1, 1_000_000), 'Failed logins until the lock; 5 unless set.'),
  lockout_duration: read(duration(1), 'How long a user is locked out; 15 minutes unless set.'),
  lockout_counter_reset: read(
    duration(1),
    'After how long without a failed login they are forgotten; 15 minutes unless set.',
  ),
  disable_lockout: read(bool, 'Locks nobody out.'),
} satisfies Table

/** Every table of the language under its form, for the reference page and for tests over all. */
export const CONFIG_TABLES: readonly { form: string; help: string; table: Table }[] = [
  { form: '', help: 'At the top of a file.', table: TOP_KEYS },
  {
    form: 'listener "tcp"',
    help: 'An address to serve HTTP on. Another type than `tcp` is refused.',
    table: LISTENER_KEYS,
  },
  {
    form: 'telemetry (inside a listener)',
    help: 'Metrics on one listener.',
    table: LISTENER_TELEMETRY_KEYS,
  },
  { form: 'storage "sqlite"', help: 'One database file. The usual choice.', table: SQLITE_KEYS },
  {
    form: 'storage "file"',
    help: "Vault's name, for files that come from there: `sqlite` in a folder.",
    table: FILE_KEYS,
  },
  {
    form: 'storage "inmem"',
    help: 'Nothing is kept when the server stops. For tests.',
    table: INMEM_KEYS,
  },
  {
    form: 'user_lockout',
    help: 'For `all` auth mounts, or for one type. What a mount is tuned to counts before it.',
    table: LOCKOUT_KEYS,
  },
  { form: 'seal "shamir"', help: 'Shares in the hands of people.', table: SHAMIR_KEYS },
  { form: 'seal "static"', help: 'A key of the operator, kept elsewhere.', table: STATIC_KEYS },
  {
    form: 'audit "<type>" "<path>"',
    help: 'A device that every request is written to before it is answered.',
    table: AUDIT_KEYS,
  },
  { form: 'telemetry', help: 'Metrics of the server.', table: TELEMETRY_KEYS },
]
