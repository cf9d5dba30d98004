/**
 * Two small disks of their own, for the data and for the audit log, in a mount namespace that lives
 * until it is ended: processes come and go in it, and the test reaches its files through /proc.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Home, newHome, within } from './process.ts'

const MIB = 1024 * 1024
const DATA_MIB = 32
const AUDIT_MIB = 32

export type SmallDisk = {
  /** Leaves so many bytes free, to the page. */
  fill(leave: number): void
  empty(): void
}

export type SmallDisks = {
  readonly home: Home
  /** In front of a program that is to see the disks. */
  readonly through: readonly string[]
  readonly data: SmallDisk
  readonly audit: SmallDisk
  /** A path in the namespace as the test can open it. */
  reach(path: string): string
  end(): void
}

const asRoot = process.getuid?.() === 0
const UNSHARE = ['unshare', asRoot ? '-m' : '-rm']

/** Why it cannot be done here, or undefined. */
export function cannotMount(): string | undefined {
  const [file = '', ...args] = UNSHARE
  const tried = spawnSync(file, [...args, 'sh', '-c', 'mount -t tmpfs -o size=1m tmpfs /mnt'])
  const entered = spawnSync('nsenter', ['--version'])
  return tried.status === 0 && entered.status === 0
    ? undefined
    : 'needs unshare and nsenter, and the right to mount a tmpfs'
}

export async function smallDisks(): Promise<SmallDisks> {
  const plain = newHome()
  const home: Home = { ...plain, auditFile: join(plain.folder, 'audit', 'audit.log') }
  mkdirSync(dirname(home.auditFile))
  const folders = [dirname(home.database), dirname(home.auditFile)] as const
  const holder = hold(folders)
  const reach = (path: string) => `/proc/${holder.pid}/root${path}`
  const mounted = () => folders.every((folder) => statfsSync(reach(folder)).blocks < 64 * 256)
  if (!(await within(5_000, () => holder.pid !== undefined && mounted()))) {
    holder.kill('SIGKILL')
    throw new Error('the small disks did not come up')
  }
  const user = asRoot ? [] : ['-U', '--preserve-credentials']
  return {
    home,
    through: ['nsenter', '-t', String(holder.pid), '-m', ...user],
    data: disk(reach(folders[0])),
    audit: disk(reach(folders[1])),
    reach,
    end: () => void holder.kill('SIGKILL'),
  }
}

function hold([data, audit]: readonly [string, string]): ChildProcess {
  const script = [
    `mount -t tmpfs -o size=${DATA_MIB}m tmpfs "$0"`,
    `mount -t tmpfs -o size=${AUDIT_MIB}m tmpfs "$1"`,
    'exec sleep 300',
  ].join(' && ')
  const [file = '', ...args] = UNSHARE
  return spawn(file, [...args, 'sh', '-c', script, data, audit], { stdio: 'ignore' })
}

function disk(folder: string): SmallDisk {
  const filler = join(folder, 'filler')
  const free = () => {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  }
  return {
    fill(leave) {
      const fd = openSync(filler, 'a')
      try {
        while (free() > leave) {
          writeSync(fd, Buffer.alloc(Math.min(MIB, Math.max(free() - leave, 4096))))
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      } finally {
        closeSync(fd)
      }
    },
    empty: () => rmSync(filler, { force: true }),
  }
}
