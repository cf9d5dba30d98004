/** What the agent is to do, out of a file in Vault Agent's language. */
import { type HclItem, HclError, parseHclOrJson } from '../lib/hcl.ts'
import {
  AgentConfigError,
  blocks,
  bool,
  command,
  insideOf,
  mode,
  needed,
  oneOf,
  type Problems,
  readTable,
  refused,
  seconds,
  tell,
  text,
} from './config-read.ts'
import { type MethodConfig, readMethod } from './config-method.ts'

export type SinkConfig = {
  readonly path: string
  readonly mode: number
  readonly wrapSeconds: number | undefined
}
export type TemplateConfig = {
  /** The file, or undefined when the text stands in `contents`. */
  readonly source: string | undefined
  readonly contents: string | undefined
  /** Where it goes: a file, or a variable of the child. */
  readonly destination: string
  readonly mode: number
  readonly makesFolders: boolean
  readonly backup: boolean
  readonly errorOnMissingKey: boolean
  readonly left: string
  readonly right: string
  readonly command: readonly string[] | undefined
  readonly timeoutSeconds: number
  readonly line: number
}
export type ExecConfig = {
  readonly command: readonly string[]
  readonly restarts: boolean
  readonly stopSignal: NodeJS.Signals
}
export type ListenerConfig = {
  readonly type: 'tcp' | 'unix'
  readonly address: string
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  readonly socketMode: number
  readonly needsHeader: boolean
  readonly quits: boolean
}
export type AgentConfig = {
  readonly file: string
  readonly server: {
    readonly address: string | undefined
    readonly namespace: string | undefined
    readonly caCert: string | undefined
    readonly clientCert: string | undefined
    readonly clientKey: string | undefined
    readonly serverName: string | undefined
    readonly tries: number | undefined
  }
  readonly method: MethodConfig | undefined
  readonly sinks: readonly SinkConfig[]
  readonly templates: readonly TemplateConfig[]
  readonly envTemplates: readonly TemplateConfig[]
  readonly exec: ExecConfig | undefined
  readonly listeners: readonly ListenerConfig[]
  readonly caches: boolean
  readonly proxyToken: 'none' | 'fallback' | 'always'
  readonly exitAfterAuth: boolean
  readonly pidFile: string | undefined
  readonly renderSeconds: number
  readonly exitOnRenderFailure: boolean
}

const TOP = {
  pid_file: text,
  exit_after_auth: bool,
  vault: blocks('vault { address = "https://…" }'),
  auto_auth: blocks('auto_auth { method { … } }'),
  template: blocks('template { source = "…" destination = "…" }'),
  template_config: blocks('template_config { static_secret_render_interval = "5m" }'),
  env_template: blocks('env_template "NAME" { contents = "…" }'),
  exec: blocks('exec { command = ["…"] }'),
  listener: blocks('listener "tcp" { address = "127.0.0.1:8100" }'),
  cache: blocks('cache {}'),
  api_proxy: blocks('api_proxy { use_auto_auth_token = true }'),
  log_level: text,
  log_format: text,
  telemetry: refused('the agent measures nothing', 'it left out'),
  disable_mlock: bool,
}
const SERVER = {
  address: text,
  namespace: text,
  ca_cert: text,
  ca_path: refused('only one file is read', 'ca_cert'),
  client_cert: text,
  client_key: text,
  tls_server_name: text,
  tls_skip_verify: refused('a server that is not checked gets the agent’s login', 'ca_cert'),
  retry: blocks('retry { num_retries = 3 }'),
}
const SINK = {
  type: text,
  wrap_ttl: seconds,
  config: blocks('config { path = "…" }'),
  dh_type: refused('sinks are not encrypted', 'wrap_ttl'),
  dh_path: refused('sinks are not encrypted', 'wrap_ttl'),
  aad: refused('sinks are not encrypted', 'wrap_ttl'),
}
const TEMPLATE = {
  source: text,
  contents: text,
  destination: text,
  perms: mode,
  create_dest_dirs: bool,
  backup: bool,
  error_on_missing_key: bool,
  error_fatal: bool,
  left_delimiter: text,
  right_delimiter: text,
  command,
  command_timeout: seconds,
  exec: blocks('exec { command = ["…"] }'),
  wait: refused('changes that come together are one anyway', 'it left out'),
  user: refused('the agent does not change owners', 'it left out, or the agent run as that user'),
  group: refused('the agent does not change owners', 'it left out'),
  sandbox_path: refused('templates read no files', 'it left out'),
}
const EXEC = {
  command,
  restart_on_secret_changes: oneOf('always', 'never'),
  restart_stop_signal: oneOf(
    'sigterm',
    'sigint',
    'sighup',
    'sigquit',
    'sigkill',
    'sigusr1',
    'sigusr2',
  ),
}
const LISTENER = {
  type: text,
  address: text,
  tls_disable: bool,
  tls_cert_file: text,
  tls_key_file: text,
  socket_mode: mode,
  require_request_header: bool,
  role: refused('there are no metrics here', 'it left out'),
  agent_api: blocks('agent_api { enable_quit = true }'),
}

export const RENDER_SECONDS = 300

export function readAgentConfig(file: string, source: string): AgentConfig {
  const problems: Problems = { file, lines: [], line: 1 }
  const config = read(problems, itemsOf(file, source))
  if (problems.lines.length > 0) throw new AgentConfigError(problems.lines.join('\n'))
  return config
}

function itemsOf(file: string, source: string): readonly HclItem[] {
  try {
    return parseHclOrJson(source, { blocks: { env_template: 1, listener: 1 } }).items
  } catch (error) {
    if (!(error instanceof HclError)) throw error
    const [, ...said] = error.message.split(': ')
    throw new AgentConfigError(`${file}:${error.line}: ${said.join(': ')}`)
  }
}

function read(problems: Problems, items: readonly HclItem[]): AgentConfig {
  const top = readTable(TOP, items, { problems, name: '' })
  const auto = top.auto_auth.flatMap(insideOf)
  const { method, sink } = readTable(AUTO, auto, { problems, name: 'auto_auth' })
  const proxy = readTable(PROXY, top.api_proxy.flatMap(insideOf), { problems, name: 'api_proxy' })
  const rendering = readTable(RENDERING, top.template_config.flatMap(insideOf), {
    problems,
    name: 'template_config',
  })
  const config: AgentConfig = {
    file: problems.file,
    server: readServer(problems, top.vault),
    method: readMethod(problems, method),
    sinks: sink.map((item) => readSink(problems, item)),
    templates: top.template.map((item) => readTemplate(problems, item)),
    envTemplates: top.env_template.map((item) => readTemplate(problems, item)),
    exec: readExec(problems, top.exec),
    listeners: top.listener.map((item) => readListener(problems, item)),
    caches: top.cache.length > 0,
    proxyToken: { true: 'fallback', false: 'none', force: 'always' }[
      proxy.use_auto_auth_token ?? 'false'
    ] as AgentConfig['proxyToken'],
    exitAfterAuth: top.exit_after_auth ?? false,
    pidFile: top.pid_file,
    renderSeconds: Math.max(1, rendering.static_secret_render_interval ?? RENDER_SECONDS),
    exitOnRenderFailure: rendering.exit_on_retry_failure ?? false,
  }
  agree(problems, config, items)
  return config
}

const AUTO = {
  method: blocks('method "approle" { config = { … } }'),
  sink: blocks('sink "file" { config = { path = "…" } }'),
  enable_reauth_on_new_credentials: bool,
}
const PROXY = { use_auto_auth_token: oneOf('true', 'false', 'force') }
const RENDERING = {
  static_secret_render_interval: seconds,
  exit_on_retry_failure: bool,
  max_connections_per_host: refused('the client limits them', 'it left out'),
  lease_renewal_threshold: refused('leases are renewed at two thirds', 'it left out'),
}

function agree(problems: Problems, config: AgentConfig, items: readonly HclItem[]): void {
  const lineOf = (key: string) => items.find((item) => item.key === key)?.line ?? 1
  const { method, sinks, templates, envTemplates, exec, listeners } = config
  const needs = [...sinks, ...templates, ...envTemplates].length > 0 || config.proxyToken !== 'none'
  if (!method && needs)
    tell(problems, 1, 'nothing says how to log in', 'auto_auth { method { … } }')
  if (envTemplates.length > 0 && !exec) {
    tell(problems, lineOf('env_template'), 'env_template without exec', 'exec { command = […] }')
  }
  if (exec && envTemplates.length === 0) {
    tell(problems, lineOf('exec'), 'exec without env_template', 'an env_template "NAME" { … }')
  }
  if (exec && templates.length > 0) {
    tell(problems, lineOf('exec'), 'exec and template are for two agents', 'one of them')
  }
  if (config.caches && listeners.length === 0) {
    tell(problems, lineOf('cache'), 'a cache without a listener', 'a listener block')
  }
  if (!method && listeners.length === 0) {
    tell(problems, 1, 'there is nothing to do', 'auto_auth, or a listener')
  }
}

function readServer(problems: Problems, items: readonly HclItem[]): AgentConfig['server'] {
  const server = readTable(SERVER, items.flatMap(insideOf), { problems, name: 'vault' })
  const retry = readTable({ num_retries: seconds }, server.retry.flatMap(insideOf), {
    problems,
    name: 'retry',
  })
  return {
    address: server.address,
    namespace: server.namespace,
    caCert: server.ca_cert,
    clientCert: server.client_cert,
    clientKey: server.client_key,
    serverName: server.tls_server_name,
    tries: retry.num_retries === undefined ? undefined : retry.num_retries + 1,
  }
}

function readSink(problems: Problems, item: HclItem): SinkConfig {
  const { line } = item
  const sink = readTable(SINK, insideOf(item), { problems, name: 'sink' })
  const type = sink.type ?? item.labels[0]
  if (type !== 'file') tell(problems, line, 'an unknown type of sink', 'sink "file"')
  const config = readTable({ path: text, mode }, sink.config.flatMap(insideOf), {
    problems,
    name: 'config',
  })
  const path = needed(config.path, '', {
    ...{ problems, line, wrong: 'a sink without a path' },
    expected: 'config = { path = "…" }',
  })
  return { path, mode: config.mode ?? 0o600, wrapSeconds: sink.wrap_ttl }
}

function readTemplate(problems: Problems, item: HclItem): TemplateConfig {
  const { key, line } = item
  const given = readTable(TEMPLATE, insideOf(item), { problems, name: key })
  const exec = readTable({ command, timeout: seconds }, given.exec.flatMap(insideOf), {
    problems,
    name: 'exec',
  })
  if ((given.source === undefined) === (given.contents === undefined)) {
    tell(problems, line, `a ${key} needs one text`, 'either source or contents')
  }
  const isEnv = key === 'env_template'
  const destination = needed(isEnv ? item.labels[0] : given.destination, '', {
    ...{ problems, line, wrong: `a ${key} without ${isEnv ? 'a name' : 'a destination'}` },
    expected: isEnv ? 'env_template "NAME" { … }' : 'destination = "…"',
  })
  return {
    source: given.source,
    contents: given.contents,
    destination,
    mode: given.perms ?? 0o600,
    makesFolders: given.create_dest_dirs ?? true,
    backup: given.backup ?? false,
    errorOnMissingKey: given.error_on_missing_key ?? false,
    left: given.left_delimiter || '{{',
    right: given.right_delimiter || '}}',
    command: exec.command ?? given.command,
    timeoutSeconds: exec.timeout ?? given.command_timeout ?? 30,
    line,
  }
}

function readExec(problems: Problems, items: readonly HclItem[]): ExecConfig | undefined {
  const [item] = items
  if (!item) return undefined
  const exec = readTable(EXEC, items.flatMap(insideOf), { problems, name: 'exec' })
  return {
    command: needed(exec.command, [], {
      ...{ problems, line: item.line, wrong: 'exec without a command' },
      expected: 'command = ["…"]',
    }),
    restarts: exec.restart_on_secret_changes !== 'never',
    stopSignal: (exec.restart_stop_signal ?? 'sigterm').toUpperCase() as NodeJS.Signals,
  }
}

function readListener(problems: Problems, item: HclItem): ListenerConfig {
  const { line } = item
  const given = readTable(LISTENER, insideOf(item), { problems, name: 'listener' })
  const api = readTable({ enable_quit: bool }, given.agent_api.flatMap(insideOf), {
    problems,
    name: 'agent_api',
  })
  const type = given.type ?? item.labels[0]
  if (type !== 'tcp' && type !== 'unix')
    tell(problems, line, 'an unknown type of listener', '"tcp" or "unix"')
  const { tls_cert_file: cert, tls_key_file: key } = given
  const isPlain = type === 'unix' || given.tls_disable === true
  if (!isPlain && (cert === undefined || key === undefined)) {
    tell(
      problems,
      line,
      'a listener without a certificate',
      'tls_cert_file and tls_key_file, or tls_disable = true',
    )
  }
  return {
    type: type === 'unix' ? 'unix' : 'tcp',
    address: needed(given.address, '', {
      ...{ problems, line, wrong: 'a listener without an address' },
      expected: type === 'unix' ? 'address = "/run/agent.sock"' : 'address = "127.0.0.1:8100"',
    }),
    tls: isPlain || cert === undefined || key === undefined ? undefined : { cert, key },
    socketMode: given.socket_mode ?? 0o600,
    needsHeader: given.require_request_header ?? false,
    quits: api.enable_quit ?? false,
  }
}
