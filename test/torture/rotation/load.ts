/** The apps and readers that use the rotated logins, from before the first run until after the last. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Failed, FromApp, Load } from './app.ts'

export type Crowd = {
  /** Every login that failed so far. */
  readonly failed: readonly Failed[]
  logins(): Promise<number>
  stop(): Promise<void>
}

export async function startCrowd(loads: readonly Load[]): Promise<Crowd> {
  const failed: Failed[] = []
  const children: ChildProcess[] = []
  const stop = async () => {
    const gone = children.map(
      (child) =>
        new Promise<void>((done) => {
          if (child.exitCode !== null || child.signalCode !== null) done()
          else child.once('exit', () => done())
        }),
    )
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(gone)
  }
  const start = async (load: Load) => {
    const child = fork(join(import.meta.dirname, 'app.ts'), [JSON.stringify(load)], {
      execArgv: ['--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    children.push(child)
    let said = ''
    child.stderr!.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-4_000)))
    await new Promise<void>((done, refuse) => {
      child.on('message', (message: FromApp) => {
        if ('ready' in message) done()
        if ('failed' in message) failed.push(message.failed)
      })
      child.once('exit', () => {
        refuse(new Error(`${load.name} has ended:\n${said}`))
        const [target] = Object.keys(load.ports) as Failed['target'][]
        // One that dies while it is used has failed too.
        failed.push({ target: target!, who: load.name, why: `ended: ${said}`, at: Date.now() })
      })
    })
  }
  try {
    // Not all at once: each compiles the same files.
    for (const load of loads) await start(load)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    get failed() {
      return failed
    },
    async logins() {
      const all = children.map(
        (child) =>
          new Promise<number>((done) => {
            const hear = (message: FromApp) => {
              if (!('logins' in message)) return
              child.off('message', hear)
              done(message.logins)
            }
            child.on('message', hear)
            child.send('logins')
          }),
      )
      return (await Promise.all(all)).reduce((sum, each) => sum + each, 0)
    },
    async stop() {
      for (const child of children) child.removeAllListeners('exit')
      await stop()
    },
  }
}
