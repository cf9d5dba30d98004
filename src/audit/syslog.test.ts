/** Against a real syslog server, rsyslogd, that listens in every way on ports and paths of the test's own. */
import { equal, throws } from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { syslogAudit } from './syslog.ts'

const PATH = `${process.env['PATH']}:/usr/sbin`
const isThere = (program: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { env: { PATH }, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const skip =
  isThere('rsyslogd') && isThere('logger') ? false : 'rsyslogd and logger are not installed'
const folder = mkdtempSync(join(tmpdir(), 'coffer-syslog-'))
const file = join(folder, 'messages')
const datagrams = join(folder, 'log.sock')
const ports = { udp: 0, tcp: 0 }
let stop = () => {}

before(async () => {
  if (skip) return
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  ports.tcp = (server.address() as AddressInfo).port
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  ports.udp = socket.address().port
  await new Promise((done) => server.close(done))
  await new Promise<void>((done) => socket.close(done))
  const config = join(folder, 'rsyslog.conf')
  writeFileSync(
    config,
    `global(workDirectory="${folder}" maxMessageSize="128k")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" sysSock.use="off")
input(type="imudp" address="127.0.0.1" port="${ports.udp}")
input(type="imtcp" address="127.0.0.1" port="${ports.tcp}")
input(type="imuxsock" socket="${datagrams}")
template(name="plain" type="string" string="%syslogfacility-text%.%syslogseverity-text% %programname% %msg:::sp-if-no-1st-sp%%msg%\\n")
action(type="omfile" file="${file}" template="plain")
`,
  )
  const args = ['-n', '-f', config, '-i', join(folder, 'pid')]
  const child = spawn('rsyslogd', args, { stdio: 'ignore', env: { PATH } })
  stop = () => child.kill('SIGKILL')
  while (!existsSync(datagrams)) await changed()
})
after(() => {
  stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Something in the folder has changed, or a moment has passed. */
async function changed(): Promise<void> {
  const watcher = watch(folder)
  await Promise.race([once(watcher, 'change'), new Promise((done) => setTimeout(done, 100))])
  watcher.close()
}

async function logged(text: string): Promise<string> {
  for (;;) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
    const found = lines.find((line) => line.includes(text))
    if (found !== undefined) return found
    await changed()
  }
}

test('open() refuses what syslog does not know', () => {
  throws(() => syslogAudit.open({ facility: 'KITCHEN' }), /facility must be one of KERN/)
  throws(() => syslogAudit.open({ tag: 'a b' }), /tag must be/)
  throws(() => syslogAudit.open({ address: '127.0.0.1:514' }), /udp:\/\//)
  throws(() => syslogAudit.open({ address: 'udp://nowhere' }), /host:port/)
})

for (const [kind, addressOf] of [
  ['udp', () => `udp://127.0.0.1:${ports.udp}`],
  ['tcp', () => `tcp://127.0.0.1:${ports.tcp}`],
  ['unixgram', () => `unixgram://${datagrams}`],
] as const) {
  test(`lines reach a syslog server over ${kind}`, { skip, timeout: 30_000 }, async () => {
    const device = syslogAudit.open({
      address: addressOf(),
      facility: 'LOCAL3',
      tag: 'coffer-test',
    })
    const line = JSON.stringify({ of: kind, long: 'x'.repeat(3_000) })
    await device.write(`${line}\n${JSON.stringify({ second: kind })}\n`)
    equal(await logged(`"of":"${kind}"`), `local3.info coffer-test  ${line}`)
    equal((await logged(`"second":"${kind}"`)).startsWith('local3.info coffer-test'), true)
    device.close()
  })
}
