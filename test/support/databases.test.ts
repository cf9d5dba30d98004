/** The database servers of the tests themselves: they start, tell logins apart, and leave nothing. */
import { equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { NO_MARIADB, startMariadb } from './mariadb.ts'
import { NO_POSTGRES, startPostgres } from './postgres.ts'
import { NO_REDIS, startRedis } from './redis.ts'

type Started = AsyncDisposable & {
  dir: string
  superuser: { username: string; password: string }
  takes(username: string, password: string): Promise<boolean>
}

for (const [name, none, start] of [
  ['postgres', NO_POSTGRES, () => startPostgres()],
  ['mariadb', NO_MARIADB, startMariadb],
  ['redis', NO_REDIS, () => startRedis()],
] as [string, string | false, () => Promise<Started>][]) {
  test(
    `${name} starts, tells a login from another, and leaves nothing`,
    { skip: none },
    async () => {
      const server = await start()
      const { username, password } = server.superuser
      ok(await server.takes(username, password))
      equal(await server.takes(username, 'another'), false)
      ok(existsSync(server.dir))
      await server[Symbol.asyncDispose]()
      equal(existsSync(server.dir), false)
    },
  )
}

test(
  'a server is gone with the test that started it, even when that is killed',
  { skip: NO_REDIS },
  async () => {
    const at = join(import.meta.dirname, 'redis.ts')
    const script = `const { startRedis } = await import(${JSON.stringify(at)})
    const { dir } = await startRedis()
    console.log(dir)
    await new Promise((done) => setTimeout(done, 60_000))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    const dir = await new Promise<string>((found) =>
      child.stdout.once('data', (data: Buffer) => found(data.toString().trim())),
    )
    ok(existsSync(dir))
    child.kill('SIGKILL')
    while (existsSync(dir)) await new Promise((later) => setTimeout(later, 20))
  },
)
