/**
 * Several processes behind one port, equal in everything: the parent forks them, restarts one that
 * dies, and carries what one keeper announces to all others (that it is open or sealed, or has been
 * given a share), so that unsealing one unseals all. Secrets are written and read by each through
 * the store; the parent only remembers whether the server is open, for a worker that is born later.
 */
import cluster, { type Worker } from 'node:cluster'
import { type Announcement, type Keeper } from '../core/keeper.ts'
import { type Log } from './log.ts'

type Up =
  | { coffer: 'announce'; id: number; message: Announcement }
  | { coffer: 'heard'; id: number }
  | { coffer: 'hello' }
  | { coffer: 'ready'; port: number }
type Down =
  | { coffer: 'hear'; id: number; message: Announcement }
  | { coffer: 'told'; id: number }
  | { coffer: 'welcome'; opened: Announcement | undefined; sealed: boolean }
  | { coffer: 'stop' }
  | { coffer: 'reload' }

export type Family = {
  /** Resolves when every worker serves; rejects when the first ones cannot start. */
  ready: Promise<number>
  reload(): void
  /** Lets every worker finish, then ends them. */
  stop(): Promise<void>
}

const RESTART_MS = 500

/** The parent's side. */
export function raiseWorkers(count: number, log: Log): Family {
  let opened: Announcement | undefined
  /** An operator has sealed it: nobody opens by itself any more. */
  let sealed = false
  let stopping = false
  let nextId = 0
  const waiting = new Map<number, { left: Set<number>; from: Worker; theirs: number }>()
  const { promise: ready, resolve: becomeReady, reject: giveUp } = Promise.withResolvers<number>()
  let started = false
  const serving = new Set<number>()
  /** Workers that have said hello: they hear what is announced from then on. */
  const hearing = new Set<number>()
  const workers = () => Object.values(cluster.workers ?? {}).filter((w) => w !== undefined)

  function settle(id: number, worker: Worker): void {
    const wait = waiting.get(id)
    if (!wait) return
    wait.left.delete(worker.id)
    if (wait.left.size > 0) return
    waiting.delete(id)
    if (wait.from.isConnected()) tell(wait.from, { coffer: 'told', id: wait.theirs })
  }

  function carry(from: Worker, theirs: number, message: Announcement): void {
    if (message.kind === 'open') opened = message
    if (message.kind === 'sealed') opened = undefined
    if (message.kind === 'open' || message.kind === 'sealed') sealed = opened === undefined
    const others = workers().filter(
      (worker) => worker !== from && hearing.has(worker.id) && worker.isConnected(),
    )
    const id = nextId++
    waiting.set(id, { left: new Set(others.map((worker) => worker.id)), from, theirs })
    for (const other of others) tell(other, { coffer: 'hear', id, message })
    if (others.length === 0) settle(id, from)
  }

  function raise(): void {
    const worker = cluster.fork()
    worker.on('message', (up: Up) => {
      if (up.coffer === 'announce') carry(worker, up.id, up.message)
      else if (up.coffer === 'heard') settle(up.id, worker)
      else if (up.coffer === 'hello') {
        hearing.add(worker.id)
        tell(worker, { coffer: 'welcome', opened, sealed })
      } else if (up.coffer === 'ready') {
        serving.add(worker.id)
        if (serving.size < count) return
        started = true
        becomeReady(up.port)
      }
    })
    worker.on('exit', (code, signal) => {
      serving.delete(worker.id)
      hearing.delete(worker.id)
      for (const id of waiting.keys()) settle(id, worker)
      if (stopping) return
      // What keeps the first from starting (a taken port, a wrong file) is not cured by another;
      // the worker has said itself what it was.
      if (!started && code) {
        stopping = true
        for (const other of workers()) other.process.kill()
        giveUp(new Error('a worker could not start'))
        return
      }
      log(
        'error',
        `worker ${worker.process.pid} ended (${signal || `exit ${code}`}); starting another`,
      )
      setTimeout(() => !stopping && raise(), RESTART_MS)
    })
  }

  for (let i = 0; i < count; i++) raise()
  return {
    ready,
    reload: () => workers().forEach((worker) => tell(worker, { coffer: 'reload' })),
    async stop() {
      stopping = true
      const gone = workers().map((worker) => new Promise((done) => worker.once('exit', done)))
      for (const worker of workers()) tell(worker, { coffer: 'stop' })
      await Promise.all(gone)
    },
  }
}

/** A worker may have ended without this process knowing yet: its exit is dealt with as such. */
const tell = (worker: Worker, down: Down) => worker.send(down, () => {})

export type Sibling = {
  announce(message: Announcement): Promise<void>
  /** From now on, what the others announce reaches this keeper; and it is open if they are. */
  join(keeper: Keeper): Promise<{ sealed: boolean }>
  obey(acts: { stop(): void; reload(): void }): void
  ready(port: number): void
}

/** A worker's side; undefined in a process that has no parent. */
export function siblingOf(): Sibling | undefined {
  if (!cluster.isWorker) return undefined
  const told = new Map<number, () => void>()
  let nextId = 0
  const up = (message: Up) => process.send!(message)
  // A parent that was killed leaves nobody to stop this process: it must not serve on by itself.
  process.on('disconnect', () => process.exit(1))
  // Sent to the whole group (a terminal that hangs up, pkill): the parent passes it on as a reload.
  process.on('SIGHUP', () => {})
  return {
    announce(message) {
      const id = nextId++
      return new Promise((done) => {
        told.set(id, done)
        up({ coffer: 'announce', id, message })
      })
    },
    join(keeper) {
      return new Promise((joined, failed) => {
        process.on('message', (down: Down) => {
          if (down.coffer === 'told') {
            told.get(down.id)?.()
            told.delete(down.id)
          } else if (down.coffer === 'hear') {
            void keeper.hear(down.message).finally(() => up({ coffer: 'heard', id: down.id }))
          } else if (down.coffer === 'welcome') {
            const { opened, sealed } = down
            if (!opened) joined({ sealed })
            else keeper.hear(opened).then(() => joined({ sealed }), failed)
          }
        })
        up({ coffer: 'hello' })
      })
    },
    obey(acts) {
      process.on('message', (down: Down) => {
        if (down.coffer === 'stop') acts.stop()
        else if (down.coffer === 'reload') acts.reload()
      })
    },
    ready: (port) => up({ coffer: 'ready', port }),
  }
}
