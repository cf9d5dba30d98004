/**
 * One user with one password: between the change and the moment a caller reads the new one, the one
 * it has does not work. Only for who has accepted that.
 */
import { type Target } from '../target.ts'
import { type Rotor } from './rotor.ts'

export function single(target: Target, username: string, statements: readonly string[]): Rotor {
  const nothing = () => Promise.resolve()
  return {
    strategy: 'single',
    gap: true,
    seesSessions: false,
    nextUsername: () => username,
    steps: () => [
      `on ${target.label}: change the password of "${username}"; the one before ends at once`,
      'log in with the new one, and serve it',
    ],
    apply: (candidate) => target.setPassword(candidate, statements),
    softRevoke: nothing,
    undoSoftRevoke: nothing,
    revoke: nothing,
    async discard(_candidate, { current }) {
      if (current) await target.setPassword(current, statements)
    },
    reapply: (current) => target.setPassword(current, statements),
  }
}
