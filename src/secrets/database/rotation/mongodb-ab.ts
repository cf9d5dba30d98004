/**
 * MongoDB: two users take turns, with the roles of the one that was given. Nothing belongs to a user
 * there, so no owner is needed. A user cannot be locked: softly revoked, it has another password.
 */
import { randomBytes } from 'node:crypto'
import { type Login, TargetError } from '../target.ts'
import { type MongoTarget } from '../targets/mongodb.ts'
import { freeSlot, type Rotor, slotsOf } from './rotor.ts'

type User = { roles?: unknown[] }

export function mongodbAb(target: MongoTarget, username: string, db = 'admin'): Rotor {
  const slots = slotsOf(username)

  async function userNamed(name: string): Promise<User | undefined> {
    const { users } = (await target.command(db, { usersInfo: name })) as { users?: User[] }
    return users?.[0]
  }
  async function apply({ username: slot, password }: Login): Promise<void> {
    const owner = await userNamed(username)
    if (!owner) throw new TargetError(`there is no user "${username}"`, 'refused', '11')
    const roles = owner.roles ?? []
    const verb = (await userNamed(slot)) ? 'updateUser' : 'createUser'
    await target.command(db, { [verb]: slot, pwd: password, roles })
  }
  const scramble = async ({ username: slot }: Login) => {
    if (!(await userNamed(slot))) return
    await target.command(db, { updateUser: slot, pwd: randomBytes(24).toString('base64url') })
  }

  return {
    strategy: 'ab',
    gap: false,
    seesSessions: false,
    nextUsername: (held) => freeSlot(slots, held),
    steps: (slot) => [
      `on ${target.label}: give "${slot}" the roles of "${username}", and a new password`,
      `log in as "${slot}"`,
      'serve it; when nobody holds the user before any more, give that another password',
    ],
    apply,
    softRevoke: scramble,
    async undoSoftRevoke({ username: slot, password }) {
      await target.command(db, { updateUser: slot, pwd: password })
    },
    revoke: scramble,
    discard: scramble,
    reapply: apply,
  }
}
