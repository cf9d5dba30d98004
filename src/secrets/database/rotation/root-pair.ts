/**
 * The root user of PostgreSQL has two logins: its own, and a second role that becomes it on login.
 * Each is changed by the other only, and then a login with it is tried. So there is no moment at which
 * the server holds no password that has been proven.
 */
import { quotedName, StatementError } from '../statements.ts'
import { type Login, TargetError } from '../target.ts'
import { checkedName, literal, type PostgresTarget, type Sql } from '../targets/postgres.ts'

const mark = (root: string) => `the second login of ${root}, kept by coffer`

export const partnerOf = (root: string): string => checkedName(`${root}_root`)

export type Pair = { readonly root: Login; readonly partner: Login | undefined }

/** Throws when the name of the second login is somebody else's. Changes nothing. */
export async function checkPartner(target: PostgresTarget, root: string): Promise<void> {
  const name = partnerOf(root)
  const there = await markOf(target.sql, name)
  if (there === undefined || there === mark(root)) return
  throw new StatementError(`the role "${name}" is somebody else's: rename it`)
}

async function markOf(sql: Sql, name: string): Promise<unknown> {
  const [row] = await sql(
    `SELECT shobj_description(oid, 'pg_authid') AS mark FROM pg_roles WHERE rolname = $1`,
    [name],
  )
  return row && row['mark']
}

/** `now` is what works; after it, both logins of `next` work and those of `now` do not. */
export async function rotatePair(target: PostgresTarget, now: Pair, next: Required<Pair>) {
  const { root, partner } = next
  if (!partner) throw new TypeError('the next pair has two')
  await target.asUser(now.root, async (sql) => {
    const name = quotedName(partner.username)
    if ((await markOf(sql, partner.username)) === undefined) {
      await sql(`CREATE ROLE ${name} NOLOGIN INHERIT`)
      await sql(`COMMENT ON ROLE ${name} IS ${literal(mark(root.username))}`)
    }
    await sql(`GRANT ${quotedName(root.username)} TO ${name}`)
    await sql(`ALTER ROLE ${name} SET role = ${literal(root.username)}`)
    await sql(
      `ALTER ROLE ${name} WITH LOGIN PASSWORD ${literal(target.verifier(partner.password))}`,
    )
  })
  // Done as the second login, which proves that one.
  await changeRoot(target, partner, root)
  await proven(target, root)
}

const changeRoot = (target: PostgresTarget, partner: Login, root: Login) =>
  target.asUser(partner, async (sql) => {
    const verifier = literal(target.verifier(root.password))
    await sql(`ALTER ROLE ${quotedName(root.username)} WITH PASSWORD ${verifier}`)
  })

async function proven(target: PostgresTarget, login: Login): Promise<void> {
  const probe = await target.probe(login)
  if (probe.outcome === 'works') return
  throw new TargetError(`a login as "${login.username}" was tried: ${probe.why}`, probe.outcome)
}

/** Whatever part of it has been done: the logins of `stored` work again, and no others. */
export async function restorePair(target: PostgresTarget, stored: Pair, tried: Required<Pair>) {
  if (!(await works(target, stored.root))) {
    const candidates = [tried.partner, stored.partner].filter((login) => login !== undefined)
    for (const partner of candidates) {
      if (!(await works(target, partner))) continue
      await changeRoot(target, partner, stored.root)
      break
    }
    await proven(target, stored.root)
  }
  const { partner } = stored
  const name = partnerOf(stored.root.username)
  await target.asUser(stored.root, async (sql) => {
    if ((await markOf(sql, name)) !== mark(stored.root.username)) return
    const quoted = quotedName(name)
    if (!partner) await sql(`DROP ROLE ${quoted}`)
    else
      await sql(`ALTER ROLE ${quoted} WITH PASSWORD ${literal(target.verifier(partner.password))}`)
  })
}

/** A server that does not answer tells nothing: throws. */
async function works(target: PostgresTarget, login: Login): Promise<boolean> {
  const probe = await target.probe(login)
  if (probe.outcome === 'unreachable') throw new TargetError(probe.why, 'unreachable')
  return probe.outcome === 'works'
}
