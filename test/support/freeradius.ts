/**
 * A real FreeRADIUS server on loopback, with a folder and a configuration of its own; needs no
 * rights. It has two ports: one that answers with a Message-Authenticator, one without. Gone when
 * the test is.
 */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PROGRAM = ['/usr/sbin/freeradius', '/usr/sbin/radiusd'].find((path) => existsSync(path))

/** Why a test that needs it is skipped; false when it can run. */
export const NO_FREERADIUS: string | false = PROGRAM
  ? false
  : 'freeradius is not installed: run .ci/run once'

export const SHARED = 'shared-secret'

export type FreeRadius = AsyncDisposable & {
  /** Its answers carry a Message-Authenticator. */
  readonly port: number
  /** Its answers carry none. */
  readonly plainPort: number
  /** What it has printed. */
  output(): string
}

const READY_MS = 20_000

/** `users`: name and password. */
export async function startFreeRadius(
  users: Readonly<Record<string, string>>,
): Promise<FreeRadius> {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-radius-'))
  const [port, plainPort] = [await freePort(), await freePort()]
  const entries = Object.entries(users)
  const file = join(dir, 'users')
  writeFileSync(
    file,
    entries.map(([name, password]) => `"${name}" Cleartext-Password := "${password}"\n`).join(''),
  )
  writeFileSync(join(dir, 'dictionary'), '')
  const config = [
    'prefix = /usr',
    `logdir = ${dir}`,
    `run_dir = ${dir}`,
    `pidfile = ${join(dir, 'radiusd.pid')}`,
    'libdir = /usr/lib/freeradius',
    'correct_escapes = true',
    // A refusal at once, so that a test of many refusals does not wait.
    'security {',
    '  reject_delay = 0',
    '  allow_vulnerable_openssl = yes',
    '}',
    'client localhost {',
    '  ipaddr = 127.0.0.1',
    `  secret = ${SHARED}`,
    '  require_message_authenticator = yes',
    '}',
    'modules {',
    '  always reject {',
    '    rcode = reject',
    '  }',
    '  files {',
    `    filename = ${file}`,
    '  }',
    '  pap {',
    '  }',
    '}',
    ...server('signed', port, ['update reply {', 'Message-Authenticator := 0x00', '}']),
    ...server('plain', plainPort, []),
    '',
  ]
  writeFileSync(join(dir, 'radiusd.conf'), config.join('\n'))
  const child = spawn(PROGRAM ?? '', ['-f', '-l', 'stdout', '-d', dir, '-n', 'radiusd'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  let output = ''
  const ready = new Promise<void>((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`freeradius: ${output}`)), READY_MS)
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      if (!output.includes('Ready to process requests')) return
      clearTimeout(timer)
      done()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void gone.then(() => {
      clearTimeout(timer)
      failed(new Error(`freeradius: ${output}`))
    })
  })
  await ready
  return {
    port,
    plainPort,
    output: () => output,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await gone
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** A virtual server; `after` is done to each answer, yes or no. */
const server = (name: string, port: number, after: readonly string[]) => [
  `server ${name} {`,
  '  listen {',
  '    type = auth',
  '    ipaddr = 127.0.0.1',
  `    port = ${port}`,
  '  }',
  '  authorize {',
  '    files',
  '    pap',
  '  }',
  '  authenticate {',
  '    Auth-Type PAP {',
  '      pap',
  '    }',
  '  }',
  '  post-auth {',
  ...after,
  '    Post-Auth-Type REJECT {',
  ...after,
  '    }',
  '  }',
  '}',
]

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done))
  const { port } = socket.address()
  await new Promise<void>((done) => socket.close(done))
  return port
}
