/**
 * Names that stand for exactly one thing, and the keys they are found under. Names are told apart
 * without regard to case, as in Vault, yet only by letters whose two cases are each other's: the
 * Kelvin sign does not become a `k`, so nobody gets to be another through it.
 */
import { hash } from 'node:crypto'
import { type Scope } from '../../barrier/space.ts'
import { type Random } from '../../lib/random.ts'
import { type Awaitable, whenReady } from '../../lib/awaitable.ts'

/** What a name's key leads to. */
type Pointer = { readonly id: string }

const ASCII = /^[ -~]*$/

export function foldName(name: string): string {
  // Most are, and for these it is the same.
  if (ASCII.test(name)) return name.toLowerCase()
  let folded = ''
  for (const letter of name) {
    const lower = letter.toLowerCase()
    folded += lower.toUpperCase() === letter ? lower : letter
  }
  return folded
}

/** One key segment of bounded length for any name: aliases are often DNs or URLs. */
export function nameKey(name: string): string {
  return hash('sha256', foldName(name), 'base64url')
}

/** A name nobody has yet, such as `entity_0a1b2c3d`. */
export async function drawName(
  prefix: string,
  random: Random,
  find: (name: string) => Awaitable<object | undefined>,
): Promise<string> {
  for (;;) {
    const name = `${prefix}_${random(4).toString('hex')}`
    if (!(await find(name))) return name
  }
}

/** Ids are made here; what is none in form never becomes a key. */
export const isId = (id: string): boolean => /^[0-9A-Za-z][0-9A-Za-z.-]{0,99}$/.test(id)

/** Through a pointer to what it points at. */
export function follow<T extends object>(
  scope: Scope,
  key: string,
  find: (id: string) => Awaitable<T | undefined>,
): Awaitable<T | undefined> {
  return whenReady(scope.get<Pointer>(key), (pointer) => pointer && find(pointer.id))
}

/**
 * Makes the keys in `after`, and only those of the keys in `before`, lead to `id`. A key that leads
 * elsewhere is a bug of the caller, who has to ask first and tells its own caller what is taken.
 */
export async function point(
  scope: Scope,
  id: string,
  keys: { before: readonly string[]; after: readonly string[] },
): Promise<void> {
  for (const key of keys.before) {
    if (!keys.after.includes(key)) scope.remove(key)
  }
  for (const key of keys.after) {
    const taken = await scope.get<Pointer>(key)
    if (taken && taken.id !== id) throw new Error('a name is in use by something else')
    if (!taken) scope.put(key, { id } satisfies Pointer)
  }
}
