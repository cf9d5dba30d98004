/**
 * Redis: one user with two passwords. Each change is saved where it outlives a restart, and read back.
 * Which password a session came with the server does not tell; but one that was opened before the
 * newer one was served came with the older.
 */
import { type TargetSession } from '../../../kit/rotation.ts'
import { TargetError } from '../target.ts'
import { existing, type RedisTarget } from '../targets/redis.ts'
import { redisVerifier } from '../verifiers.ts'
import { type Rotor } from './rotor.ts'

export function redisDual(target: RedisTarget, username: string, now: number): Rotor {
  const when = { username, now }
  const say = target.command

  async function change(...rules: string[]): Promise<void> {
    await existing(say, username)
    await say('ACL', 'SETUSER', username, ...rules)
    // Without a place to save it a restart loses it: that was said when the role was made, and the
    // watch for drift will tell.
    await target.persist()
  }
  async function add(password: string): Promise<void> {
    const verifier = redisVerifier(password)
    await change(`#${verifier}`)
    if (!(await passwordsOf(target, username)).includes(verifier)) {
      throw new TargetError(`${target.label} did not keep the new password`, 'refused')
    }
  }
  async function remove(password: string): Promise<void> {
    const verifier = redisVerifier(password)
    // The server refuses to take away what is not there.
    if ((await passwordsOf(target, username)).includes(verifier)) await change(`!${verifier}`)
    else await target.persist()
  }

  return {
    strategy: 'dual-password',
    gap: false,
    seesSessions: true,
    nextUsername: () => username,
    steps: () => [
      `on ${target.label}: give "${username}" a second password, save the users, read it back`,
      'log in with it',
      'serve it; when nobody holds the one before any more, take that away',
    ],
    apply: ({ password }) => add(password),
    sessions: (_login, servedSince) => sessionsOf(target, { ...when, servedSince }),
    softRevoke: ({ password }) => remove(password),
    undoSoftRevoke: ({ password }) => add(password),
    refusedSince: (_old, since) => refusedSince(target, when, since),
    async revoke(_old, { password }) {
      const verifier = redisVerifier(password)
      const others = (await passwordsOf(target, username)).filter((one) => one !== verifier)
      await change(`#${verifier}`, ...others.map((one) => `!${one}`))
    },
    async terminate(_old, servedSince) {
      const open = await sessionsOf(target, { ...when, servedSince })
      for (const { id } of open) await say('CLIENT', 'KILL', 'ID', id)
      return open.length
    },
    discard: ({ password }) => remove(password),
    reapply: ({ password }) => add(password),
  }
}

type When = { username: string; now: number }

async function passwordsOf({ command }: RedisTarget, username: string): Promise<string[]> {
  const told = (await command('ACL', 'GETUSER', username)) as unknown[] | null
  const at = told?.indexOf('passwords') ?? -1
  const list = at < 0 ? [] : told?.[at + 1]
  return Array.isArray(list) ? list.map(String) : []
}

async function sessionsOf(
  { command }: RedisTarget,
  { username, now, servedSince }: When & { servedSince: number | undefined },
): Promise<TargetSession[]> {
  const text = String(await command('CLIENT', 'LIST'))
  const found: TargetSession[] = []
  for (const line of text.split('\n')) {
    const parts = new Map(
      line.split(' ').map((part) => {
        const at = part.indexOf('=')
        return [part.slice(0, at), part.slice(at + 1)] as const
      }),
    )
    if (parts.get('user') !== username) continue
    const since = now - Number(parts.get('age') ?? 0) * 1000
    // Ages are whole seconds: one that cannot be told from a newer one is not counted.
    if (servedSince !== undefined && since >= servedSince) continue
    const [id = '', application = ''] = [parts.get('id'), parts.get('name')]
    found.push({ id, user: username, application, address: parts.get('addr') ?? '', since })
  }
  return found
}

/** ACL LOG counts alike entries of a minute as one. */
async function refusedSince(
  { command }: RedisTarget,
  { username, now }: When,
  since: number,
): Promise<number> {
  const entries = (await command('ACL', 'LOG', '128')) as unknown[][]
  let refused = 0
  for (const entry of entries) {
    const told = new Map<string, unknown>()
    for (let i = 0; i + 1 < entry.length; i += 2) told.set(String(entry[i]), entry[i + 1])
    if (told.get('reason') !== 'auth' || told.get('username') !== username) continue
    if (now - Number(told.get('age-seconds')) * 1000 > since)
      refused += Number(told.get('count') ?? 1)
  }
  return refused
}
