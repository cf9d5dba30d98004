/** The server under test from outside: started, opened, killed and started again on its port. */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Api, http, type Reply } from '../../support/http-api.ts'
import { freePort } from '../../support/own-server.ts'
import { type Asked, type AskedMessage, type Fault } from './points.ts'

export type Victim = AsyncDisposable & {
  readonly address: string
  readonly rootToken: string
  /** How often it has died. */
  readonly deaths: number
  arm(fault: Fault): void
  /** As root; a server that is being started again is waited for. */
  ask(act: (api: Api) => Promise<Reply>): Promise<Reply>
  kill(): void
  log(): string
}

const ASK_MS = 30_000

/** Starts again by itself, for as long as it is not disposed of. */
export async function startVictim(onAsked: (asked: Asked) => Promise<void>): Promise<Victim> {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-rotation-'))
  const port = await freePort()
  const address = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let [key, rootToken, log] = ['', '', '']
  let [deaths, over] = [0, false]
  let running: Promise<void>

  async function start(): Promise<void> {
    const own = fork(join(import.meta.dirname, 'server.ts'), [join(dir, 'store.db'), `${port}`], {
      execArgv: ['--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child = own
    own.stderr!.on('data', (text: Buffer) => (log = (log + text.toString()).slice(-200_000)))
    await new Promise<void>((ready, refuse) => {
      own.on('message', (message: AskedMessage | { what: 'ready' }) => {
        if (message.what === 'ready') return ready()
        void onAsked(message).then(() => own.connected && own.send({ answered: message.id }))
      })
      own.once('exit', () => {
        refuse(new Error(`the server has ended:\n${log.slice(-4_000)}`))
        if (over || child !== own) return
        deaths++
        // Who is armed against dies before it answers, never before it is up.
        running = start()
        running.catch(() => {})
      })
    })
    await unsealed()
  }

  async function unsealed(): Promise<void> {
    const gate = http(address)
    if (key === '') {
      const made = await gate.write('sys/init', { secret_shares: 1, secret_threshold: 1 })
      key = (made.at('keys_base64') as string[])[0]!
      rootToken = String(made.at('root_token'))
    }
    const opened = await gate.write('sys/unseal', { key })
    if (opened.at('sealed') !== false) throw new Error(`not unsealed: ${opened.text}`)
  }

  running = start()
  await running
  return {
    address,
    get rootToken() {
      return rootToken
    },
    get deaths() {
      return deaths
    },
    arm(fault) {
      child?.send({ arm: fault })
    },
    async ask(act) {
      for (const end = Date.now() + ASK_MS; ;) {
        try {
          await running
          return await act(http(address, { token: rootToken }))
        } catch (error) {
          if (Date.now() > end) throw error
          await new Promise((later) => setTimeout(later, 20))
        }
      }
    },
    kill: () => void child?.kill('SIGKILL'),
    log: () => log,
    async [Symbol.asyncDispose]() {
      over = true
      const gone = new Promise((done) => child?.once('exit', done))
      if (child?.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await gone
      }
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
