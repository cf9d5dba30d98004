/**
 * Passwords of users: hashed and checked by bcrypt in its own thread. A user who is not there costs
 * the same hash as one who is.
 */
import { type Call, Failure, refuse, t } from '../../kit/kit.ts'
import {
  BCRYPT_BYTES_MAX,
  BCRYPT_COST,
  BCRYPT_SALT_BYTES,
  bcryptCost,
  bcryptHash,
  BcryptBusyError,
  bcryptMatches,
} from '../../crypto/bcrypt.ts'

/** Dearer hashes would hold up everybody else's logins for seconds. */
const COST_MAX = 14
/** Of a password that nobody was told, with the cost of ours. */
const NOBODY = '$2b$10$sq5lWeg8Xg9eF.yiRRMe3.Xz/5nt5VyGEFIZsJRaQUD50t5IZ3vBm'

export const passwordFields = {
  password: t.string({ help: 'The password, at most 72 bytes.', sensitive: true }),
  password_hash: t.string({
    help: 'A bcrypt hash from elsewhere, instead of the password; its cost is from 10 to 14.',
    sensitive: true,
  }),
}

type Given = { password: string | undefined; password_hash: string | undefined }

/** The hash of what was given; undefined when neither was. */
export async function givenHash(call: Call<Given>): Promise<string | undefined> {
  const { password = '', password_hash: imported = '' } = call.data
  if (password !== '' && imported !== '') refuse('give password or password_hash, not both')
  if (imported !== '') return importedHash(imported)
  if (password === '') return undefined
  if (Buffer.byteLength(password) > BCRYPT_BYTES_MAX) {
    refuse(`password length exceeds ${BCRYPT_BYTES_MAX} bytes`)
  }
  return call.once(['new password'], () =>
    unlessBusy(bcryptHash(password, call.random(BCRYPT_SALT_BYTES))),
  )
}

function importedHash(hash: string): string {
  const cost = bcryptCost(hash)
  if (cost === undefined || cost < BCRYPT_COST || cost > COST_MAX) {
    refuse(`password_hash must be a bcrypt hash with a cost from ${BCRYPT_COST} to ${COST_MAX}`)
  }
  return hash
}

/** `hash` undefined = there is no such user: false, after the same work. */
export async function isPassword(
  call: Pick<Call<unknown>, 'once'>,
  password: string,
  hash: string | undefined,
): Promise<boolean> {
  const matches = await call.once(['password', hash], () =>
    unlessBusy(bcryptMatches(password, hash ?? NOBODY)),
  )
  return matches && hash !== undefined
}

async function unlessBusy<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof BcryptBusyError) {
      throw new Failure('overloaded', 'too many passwords wait to be checked; try again')
    }
    throw error
  }
}
