/**
 * A real OpenLDAP server on free loopback ports, with a folder, a configuration and data of its own;
 * needs no rights. Gone when the test is.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authority, certificate, SERVER_AUTH } from './authority.ts'

const SCHEMAS = '/etc/ldap/schema'
const PROGRAM = ['/usr/sbin/slapd', '/usr/libexec/slapd'].find((path) => existsSync(path))

/** Why a test that needs it is skipped; false when it can run. */
export const NO_SLAPD: string | false =
  PROGRAM && existsSync(SCHEMAS) ? false : 'slapd is not installed: run .ci/run once'

export const SUFFIX = 'dc=example,dc=com'
export const ADMIN = { dn: `cn=admin,${SUFFIX}`, password: 'admin-password' }

export type Slapd = AsyncDisposable & {
  /** ldap://, with StartTLS. */
  readonly url: string
  /** ldaps:// */
  readonly secureUrl: string
  /** PEM of the authority of its certificate. */
  readonly ca: string
  /** Puts a user into a group of names, or takes it out. */
  member(change: 'add' | 'delete', group: string, dn: string): Promise<void>
  /** Ends the process and leaves the ports. */
  kill(): Promise<void>
}

const READY_MS = 20_000

/** `ldif`: entries below SUFFIX, which is there already. */
export async function startSlapd(ldif: string): Promise<Slapd> {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-slapd-'))
  const [port, securePort] = [await freePort(), await freePort()]
  const root = await authority('slapd test authority')
  const own = await certificate(
    {
      subject: 'CN=slapd',
      usages: [SERVER_AUTH],
      names: [{ type: 'ip', value: '127.0.0.1' }],
    },
    root,
  )
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  mkdirSync(join(dir, 'data'))
  const config = write(
    'slapd.conf',
    [
      ...['core', 'cosine', 'nis', 'inetorgperson'].map(
        (schema) => `include ${SCHEMAS}/${schema}.schema`,
      ),
      'modulepath /usr/lib/ldap',
      'moduleload back_mdb',
      `pidfile ${join(dir, 'slapd.pid')}`,
      `TLSCertificateFile ${write('cert.pem', own.pem)}`,
      `TLSCertificateKeyFile ${write('key.pem', own.keyPem)}`,
      'database mdb',
      'maxsize 16777216',
      `suffix "${SUFFIX}"`,
      `directory ${join(dir, 'data')}`,
      `rootdn "${ADMIN.dn}"`,
      `rootpw ${ADMIN.password}`,
      'access to attrs=userPassword by anonymous auth by * none',
      'access to * by users read by anonymous read',
      '',
    ].join('\n'),
  )
  const base = `dn: ${SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n`
  const add = spawnSync(PROGRAM ?? '', [
    '-T',
    'add',
    '-f',
    config,
    '-l',
    write('data.ldif', base + ldif),
  ])
  if (add.status !== 0) throw new Error(`slapadd: ${add.stderr.toString()}`)
  const urls = [`ldap://127.0.0.1:${port}`, `ldaps://127.0.0.1:${securePort}`] as const
  const child = spawn(PROGRAM ?? '', ['-d', '0', '-f', config, '-h', `${urls[0]}/ ${urls[1]}/`], {
    stdio: 'ignore',
  })
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  const stop = async () => {
    child.kill('SIGKILL')
    await gone
  }
  process.once('exit', () => child.kill('SIGKILL'))
  await answers(port)
  return {
    url: urls[0],
    secureUrl: urls[1],
    ca: root.pem,
    async member(operation, group, dn) {
      const { Attribute, Change, Client } = await import('ldapts')
      await using client = new Client({ url: urls[0] })
      await client.bind(ADMIN.dn, ADMIN.password)
      const modification = new Attribute({ type: 'member', values: [dn] })
      await client.modify(group, new Change({ operation, modification }))
    },
    kill: stop,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

async function answers(port: number): Promise<void> {
  const end = performance.now() + READY_MS
  for (;;) {
    const open = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => done(true)).once('error', () => done(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    if (performance.now() > end) throw new Error('slapd does not answer')
  }
}
