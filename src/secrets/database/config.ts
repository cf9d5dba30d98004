/** `config/:name`: a database, and who the server is there. Its password is never read back. */
import { type Call, endpoint, Failure, refuse, t } from '../../kit/kit.ts'
import { closeTarget, type Connection, connections, rootLogin, tryTarget } from './connection.ts'
import { pluginNamed } from './plugins.ts'
import { StatementError } from './statements.ts'
import { TargetError, textOf, withoutValues } from './target.ts'
import { TemplateError, usernameTemplate } from './username.ts'

export const connectionName = t.name({ help: 'Name of the connection.' })

/** What the engine itself keeps; everything else in a request is the plugin's. */
const OWN = [
  'name',
  'plugin_name',
  'plugin_version',
  'verify_connection',
  'allowed_roles',
  'root_rotation_statements',
  'password_policy',
  'skip_static_role_import_rotation',
]

const fields = {
  name: connectionName,
  plugin_name: t.string({ help: 'Which kind of database, e.g. postgresql-database-plugin.' }),
  plugin_version: t.string({ help: 'Kept; every plugin is part of the server.', clear: true }),
  verify_connection: t.bool({ help: 'Log in before it is accepted.', default: true, clear: true }),
  allowed_roles: t.list({ help: 'Roles that may use it; * at an end of a name, or alone.' }),
  root_rotation_statements: t.texts({
    help: "How the root user's password is changed, if not as usual.",
  }),
  password_policy: t.string({ help: 'The policy that passwords are made by.' }),
  skip_static_role_import_rotation: t.bool({
    help: 'Static roles are not rotated when they are made, unless they say so.',
    default: false,
  }),
  connection_url: t.string({
    help: 'Where it is; {{username}} and {{password}} stand for the root user.',
  }),
  username: t.string({ help: 'The root user.' }),
  password: t.string({ help: "The root user's password.", sensitive: true }),
  username_template: t.string({ help: 'How dynamic users are named: a template of Go.' }),
  host: t.string({ help: 'Redis: the host.' }),
  port: t.int({ help: 'Redis: the port.' }),
  tls: t.bool({ help: 'Redis: use TLS.', clear: true }),
  insecure_tls: t.bool({ help: "Redis: do not check the server's certificate.", clear: true }),
  ca_cert: t.string({ help: 'Redis: PEM of the authority that is trusted.' }),
  persistence_mode: t.string({ help: 'Redis: ACLFILE or REWRITE; both are tried unless set.' }),
  tls_ca: t.string({ help: 'PEM of the authority that is trusted.' }),
  tls_server_name: t.string({
    help: "What the server's certificate must be for, if not the host it is reached at.",
  }),
  tls_skip_verify: t.bool({ help: "MySQL: do not check the server's certificate.", clear: true }),
  tls_certificate: t.string({ help: 'PEM of the certificate to show.' }),
  private_key: t.string({ help: 'PEM of its key.', sensitive: true }),
  tls_certificate_key: t.string({
    help: 'PEM of the certificate to show, with its key.',
    sensitive: true,
  }),
  max_open_connections: t.int({ help: 'Connections at once; 4 unless set.', clear: true }),
  max_idle_connections: t.int({ help: 'Kept; what is idle is closed after 10 s.', clear: true }),
  max_connection_lifetime: t.duration({ help: 'Kept.', clear: true }),
}

type ConfigCall = Call<{
  name: string
  plugin_name: string | undefined
  plugin_version: string | undefined
  verify_connection: boolean
  allowed_roles: string[] | undefined
  root_rotation_statements: string[] | undefined
  password_policy: string | undefined
  skip_static_role_import_rotation: boolean
}>

export const configEndpoints = [
  endpoint('config', {
    help: 'The names of all connections.',
    fields: {},
    list: async ({ store, page }) => ({ keys: await connections.names(store, page) }),
  }),
  endpoint('config/:name', {
    help: 'A database, and who the server is there.',
    fields,
    anyBody: true,
    exists: async ({ data, store }) => (await connections.get(store, data.name)) !== undefined,
    async read({ data, store }) {
      const found = await connections.get(store, data.name)
      if (!found) return undefined
      return {
        plugin_name: found.plugin_name,
        plugin_version: found.plugin_version,
        connection_details: shownDetails(found),
        allowed_roles: found.allowed_roles,
        root_credentials_rotate_statements: found.root_rotation_statements,
        password_policy: found.password_policy,
        verify_connection: found.verify_connection,
        skip_static_role_import_rotation: found.skip_static_role_import_rotation,
      }
    },
    write,
    delete({ data, store, mount }) {
      connections.remove(store, data.name)
      closeTarget({ mount, name: data.name })
      return undefined
    },
    example: {
      plugin_name: 'postgresql-database-plugin',
      connection_url: 'postgresql://{{username}}:{{password}}@db.example.com:5432/app',
      username: 'vault',
      password: 'changed-by-rotate-root',
      allowed_roles: 'app-*',
    },
  }),
]

async function write(call: ConfigCall) {
  const { data, given, store, mount, body } = call
  const stored = await connections.get(store, data.name)
  const plugin = data.plugin_name ?? stored?.plugin_name ?? ''
  if (plugin === '') refuse('empty plugin name')
  const { family } = pluginNamed(plugin)
  // What another kind of database was told means nothing to this one.
  const sameKind = stored !== undefined && pluginNamed(stored.plugin_name).family === family
  const before = sameKind ? stored : undefined
  const told = Object.entries(body).filter(([name, value]) => !OWN.includes(name) && value !== null)
  const details = { ...before?.connection_details, ...Object.fromEntries(told) }
  for (const [name, value] of told) {
    // It ends a text in the protocols of databases.
    if (typeof value === 'string' && value.includes('\0')) refuse(`${name} must hold no NUL`)
  }
  checkTemplate(textOf(details, 'username_template'))
  // A root user that somebody names anew has no second login of ours.
  const same = details['username'] === before?.connection_details['username']
  const partner = same && !given.has('password') ? before?.partner : undefined
  const next: Connection = {
    plugin_name: plugin,
    plugin_version: data.plugin_version ?? before?.plugin_version ?? '',
    connection_details: details,
    allowed_roles: data.allowed_roles ?? stored?.allowed_roles ?? [],
    root_rotation_statements:
      data.root_rotation_statements ?? before?.root_rotation_statements ?? [],
    password_policy: data.password_policy ?? stored?.password_policy ?? '',
    verify_connection: data.verify_connection,
    skip_static_role_import_rotation: given.has('skip_static_role_import_rotation')
      ? data.skip_static_role_import_rotation
      : (stored?.skip_static_role_import_rotation ?? false),
    ...(partner && { partner }),
  }
  await tryConnection(call, next)
  connections.put(store, data.name, next)
  closeTarget({ mount, name: data.name })
  if (hasInlinePassword(textOf(details, 'connection_url'))) {
    call.warn(
      'Password found in connection_url, use a templated url to enable root rotation and prevent ' +
        'read access to password information.',
    )
  }
  return undefined
}

/** Opens it even when it is not to be verified: what cannot be read is refused. */
async function tryConnection(call: ConfigCall, next: Connection): Promise<void> {
  const { verify_connection: verify } = next
  const trouble = await call.once(['verify', JSON.stringify(next)], async () => {
    try {
      await tryTarget(next, async ({ target }) => (verify ? target.check() : undefined))
      return undefined
    } catch (error) {
      if (error instanceof TargetError) return `error verifying connection: ${error.message}`
      if (error instanceof Failure || error instanceof StatementError) return error.message
      throw error
    }
  })
  if (trouble === undefined) return
  const clean = withoutValues(trouble, [rootLogin(next).password])
  refuse(`error creating database object: ${clean}`)
}

function checkTemplate(template: string): void {
  try {
    usernameTemplate(template)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    refuse(
      'error creating database object: unable to initialize username template: ' + error.message,
    )
  }
}

const HIDDEN = /password|private_key|certificate_key|secret|service_account_json/

function shownDetails({ connection_details: details }: Connection): Record<string, unknown> {
  const visible = Object.entries(details).filter(([name]) => !HIDDEN.test(name))
  const shown = Object.fromEntries(visible)
  const url = textOf(details, 'connection_url')
  if (hasInlinePassword(url)) shown['connection_url'] = masked(url)
  return shown
}

/** `user:password@` before an address, or `password=` among pairs. */
const INLINE = /^((?:\w+:\/\/)?[^:@/]*:)(.+)(@[^@]*)$/s
const PAIR = /(\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s']+)/g

const hasInlinePassword = (url: string): boolean => masked(url) !== url

function masked(url: string): string {
  const pairs = url.replace(PAIR, (whole, before: string, value: string) =>
    value.includes('{{password}}') ? whole : `${before}*****`,
  )
  const [, before, password = '', after] = INLINE.exec(pairs) ?? []
  if (before === undefined || password === '{{password}}') return pairs
  return `${before}*****${after}`
}
