/** What a namespace may be called: one segment of a path that is nothing else already. */
import { refuse } from '../../kit/failure.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type MountEntry } from '../mounts.ts'

const NAME_CHARS_MAX = 128
const PATH_CHARS_MAX = 512

/** The server's own words, and `root`, which names the namespace above all. */
const RESERVED = new Set([
  'root',
  'sys',
  'auth',
  'audit',
  'cubbyhole',
  'identity',
  'api-lock',
  '.',
  '..',
])

/** Refuses a name that no new namespace below `parentPath` may have. */
export function checkNamespaceName(
  name: string,
  within: { parentPath: string; mounts: readonly MountEntry[] },
): void {
  if (RESERVED.has(name.toLowerCase())) {
    refuse(`"${name}" is a reserved path and cannot be used as a namespace name`)
  }
  if (name.includes('/')) {
    refuse('a namespace name must not contain "/": create it from within the namespace above it')
  }
  canonicalInput(name)
  const strange =
    name === '' ||
    name.length > NAME_CHARS_MAX ||
    /[\s*+%"]|\p{Default_Ignorable_Code_Point}/u.test(name) ||
    name.normalize('NFKC') !== name
  if (strange) {
    refuse(
      `a namespace name must be 1 to ${NAME_CHARS_MAX} plain characters without spaces, ` +
        `'*', '+', '%' and '"'`,
    )
  }
  if (within.parentPath.length + name.length + 1 > PATH_CHARS_MAX) {
    refuse(`the path of a namespace must have at most ${PATH_CHARS_MAX} characters`)
  }
  const taken = within.mounts.find(({ path }) => path.startsWith(`${name}/`))
  if (taken) refuse(`path is already in use at ${taken.path}`)
}
