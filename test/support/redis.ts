/** A real Redis: fresh, on a free port, with a file for its users or without. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { createClient } from 'redis'
import { freePort, ownFolder, ownServer, type OwnServer, programAt } from './own-server.ts'

const PROGRAM = programAt('/usr/bin/redis-server', '/usr/local/bin/redis-server')

/** Why a test that needs it is skipped; false when it can run. */
export const NO_REDIS: string | false = PROGRAM
  ? false
  : 'redis-server is not installed: run .ci/run once'

type Client = ReturnType<typeof createClient>

export type Redis = OwnServer & {
  readonly port: number
  readonly superuser: { username: string; password: string }
  connect(as?: { username: string; password: string }): Promise<Client>
  command: (...words: string[]) => Promise<unknown>
  takes: (username: string, password: string) => Promise<boolean>
}

const SUPERUSER = { username: 'admin', password: 'superuser-password' }

/** `users`: in an aclfile, in the configuration file, or nowhere that survives a restart. */
export async function startRedis(users: 'aclfile' | 'config' | 'none' = 'aclfile'): Promise<Redis> {
  const dir = ownFolder('redis', {})
  const port = await freePort()
  const admin = `user admin on >${SUPERUSER.password} ~* &* +@all`
  const lines = [`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`, 'save ""', 'appendonly no']
  if (users === 'aclfile') {
    writeFileSync(join(dir, 'users.acl'), `user default off\n${admin}\n`)
    lines.push(`aclfile ${join(dir, 'users.acl')}`)
  } else if (users === 'config') lines.push('user default off', admin)
  const config = join(dir, 'redis.conf')
  writeFileSync(config, `${lines.join('\n')}\n`)
  const none = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '']
  const argv = users === 'none' ? [PROGRAM!, ...none] : [PROGRAM!, config]
  const server = await ownServer({ argv, dir, port, signal: 'KILL', owner: {} })
  const redis = await import('redis')
  const connect: Redis['connect'] = async (as) => {
    const client = redis.createClient({
      ...(as && { username: as.username, password: as.password }),
      socket: { host: '127.0.0.1', port, reconnectStrategy: false },
    })
    client.on('error', () => {})
    await client.connect()
    return client as Client
  }
  if (users === 'none') {
    const first = await connect()
    await first.sendCommand(['ACL', 'SETUSER', ...admin.split(' ').slice(1)])
    await first.sendCommand(['ACL', 'SETUSER', 'default', 'off'])
    await first.close()
  }
  return {
    ...server,
    port,
    superuser: SUPERUSER,
    connect: (as = SUPERUSER) => connect(as),
    async command(...words) {
      const client = await connect(SUPERUSER)
      try {
        return await client.sendCommand(words)
      } finally {
        client.destroy()
      }
    },
    async takes(username, password) {
      try {
        const client = await connect({ username, password })
        client.destroy()
        return true
      } catch (error) {
        if (/^(WRONGPASS|NOAUTH)/.test((error as Error).message)) return false
        throw error
      }
    },
  }
}
