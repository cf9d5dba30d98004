/**
 * Clients that are known to speak to one worker each, though all share a port. Which process holds
 * the other end of a connection is told by /proc, so this works on Linux only.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { client, type Client } from './client.ts'
import { type Coffer, within } from './process.ts'

export const NO_PROC = existsSync('/proc/net/tcp') ? false : 'needs /proc/net/tcp'

/** The process that holds the server's end of a connection from `clientPort`, of those given. */
function holderOf(
  pids: readonly number[],
  { serverPort, clientPort }: { serverPort: number; clientPort: number },
): number | undefined {
  const hex = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const row = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, remote]) => local === hex(serverPort) && remote === hex(clientPort))
  const inode = row?.[9]
  if (inode === undefined || inode === '0') return undefined
  return pids.find((pid) => holds(pid, `socket:[${inode}]`))
}

function holds(pid: number, socket: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === socket)
  } catch {
    return false
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // The descriptor was closed since the folder was read.
    return ''
  }
}

/** One connection to each worker, by pid. */
export async function perWorker(coffer: Coffer, token = coffer.home.root) {
  const found = new Map<number, Client>()
  const spare: Client[] = []
  const complete = await within(10_000, async () => {
    const workers = coffer.workers()
    const next = client({ port: coffer.port, connections: 1, token })
    await next.ask('GET', 'sys/seal-status')
    const [clientPort] = next.ports
    const pid = holderOf(workers, { serverPort: coffer.port, clientPort: clientPort! })
    if (pid === undefined || found.has(pid)) spare.push(next)
    else found.set(pid, next)
    return found.size === workers.length && found.size > 1
  })
  for (const each of spare) each.close()
  if (!complete) throw new Error(`only ${found.size} of the workers answered`)
  return found
}

/** The first two workers' clients. */
export async function pair(coffer: Coffer, token?: string): Promise<[Client, Client]> {
  const [a, b] = (await perWorker(coffer, token)).values()
  return [a!, b!]
}
