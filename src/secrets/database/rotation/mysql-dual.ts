/**
 * MySQL 8: one user with two passwords, by RETAIN CURRENT PASSWORD and DISCARD OLD PASSWORD. The
 * server keeps one besides the current, so the one that was is served until it is discarded. Needs
 * APPLICATION_PASSWORD_ADMIN.
 */
import { type Login } from '../target.ts'
import { hostsOf, type MysqlTarget, type Query } from '../targets/mysql.ts'
import { type Rotor } from './rotor.ts'
import { sessionsOf } from './mariadb-dual.ts'

export function mysqlDual(
  target: Pick<MysqlTarget, 'query' | 'label' | 'probe'>,
  username: string,
): Rotor {
  const query: Query = (text, values) => target.query(text, values)

  async function each(statement: string, values: readonly string[] = []): Promise<void> {
    for (const host of await hostsOf(query, username)) {
      await query(statement, [username, host, ...values])
    }
  }
  /** Said twice it would make the candidate its own predecessor, and the one before it would be gone. */
  async function add(login: Login): Promise<void> {
    if ((await target.probe(login)).outcome === 'works') return
    await each('ALTER USER ?@? IDENTIFIED BY ? RETAIN CURRENT PASSWORD', [login.password])
  }
  const discardOld = () => each('ALTER USER ?@? DISCARD OLD PASSWORD')

  return {
    strategy: 'dual-password',
    gap: false,
    seesSessions: false,
    nextUsername: () => username,
    steps: () => [
      `on ${target.label}: give "${username}" a new password and RETAIN CURRENT PASSWORD`,
      'log in with it',
      'serve it; when nobody holds the one before any more, DISCARD OLD PASSWORD',
    ],
    apply: add,
    softRevoke: discardOld,
    // The old one becomes the current for a moment, and then the one that is kept.
    async undoSoftRevoke(old, current) {
      if ((await target.probe(old)).outcome === 'works') return
      await each('ALTER USER ?@? IDENTIFIED BY ? RETAIN CURRENT PASSWORD', [old.password])
      await each('ALTER USER ?@? IDENTIFIED BY ? RETAIN CURRENT PASSWORD', [current.password])
    },
    revoke: discardOld,
    async terminate() {
      const open = await sessionsOf(query, username)
      for (const { id } of open) await query(`KILL CONNECTION ${Number(id)}`).catch(() => {})
      return open.length
    },
    // The one that is served becomes the current again, and the candidate the one that is discarded.
    async discard(_candidate, { current }) {
      if (!current) return
      await each('ALTER USER ?@? IDENTIFIED BY ? RETAIN CURRENT PASSWORD', [current.password])
      await discardOld()
    },
    reapply: add,
  }
}
