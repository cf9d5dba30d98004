/**
 * The index of fingerprints that a scanner takes with it (`rules/fingerprints.ts`): of every text in
 * every version of the secrets that its caller may read. What leaves the server is the index, signed;
 * no value does.
 */
import { type Keyring } from '../barrier/keyring.ts'
import { type Scope } from '../barrier/space.ts'
import { ed25519Signer, type Signer } from '../crypto/ed25519.ts'
import { Failure } from '../kit/failure.ts'
import { type Leaf } from '../kit/tree.ts'
import { isObject, isRawJson, parseJson } from '../lib/json.ts'
import { type IndexedValue, makeIndex } from '../rules/fingerprints.ts'
import { type Core } from './core.ts'
import { isBelow } from './issued.ts'
import { rotationsIn } from './rotation/record.ts'
import { fullPathOf, mayThere } from './rotation/subject.ts'
import { asFolder, leavesOf, type Spot, type TreeView } from './tree-view.ts'
import { type Turn } from './turn.ts'

/** An index is made in memory and in one go. */
const SECRETS_MAX = 20_000

export type SignedIndex = {
  /** The JSON text of a `FingerprintIndex`: what is signed is these bytes. */
  readonly index: string
  /** base64: 64 and 32 bytes, Ed25519. */
  readonly signature: string
  readonly public_key: string
  readonly secrets: number
  readonly left_out: number
  /** More secrets lie below the path than go into one index. */
  readonly truncated: boolean
}

/** What does not lie at paths as secrets do. */
type More = { readonly values: readonly IndexedValue[]; readonly truncated: boolean }

export async function fingerprintsBelow(
  view: TreeView,
  asked: { path: string; now: number; keyring: Keyring; more: More },
): Promise<SignedIndex> {
  const starts = await startsOf(view, asked)
  const values: IndexedValue[] = [...asked.more.values]
  let secrets = 0
  let { truncated } = asked.more
  for await (const { spot, path } of leavesOf(view, starts, { note: true })) {
    if (!view.may(spot, 'read')) continue
    if (secrets >= SECRETS_MAX) {
      truncated = true
      break
    }
    secrets++
    values.push(...(await valuesAt(view, spot, path, asked.now)))
  }
  const made = makeIndex(inOrder(values), { now: asked.now })
  const index = JSON.stringify(made)
  const signer = fingerprintSigner(asked.keyring)
  return {
    index,
    signature: signer.sign(index).toString('base64'),
    public_key: signer.publicKey.toString('base64'),
    secrets,
    left_out: made.left_out,
    truncated,
  }
}

async function startsOf(view: TreeView, { path, more }: { path: string; more: More }) {
  if (path === '') {
    return (await view.roots()).map((spot) => ({ spot, prefix: spot.mount.entry.path }))
  }
  try {
    return [{ spot: asFolder(await view.at(path)), prefix: folder(path) }]
  } catch (error) {
    // A mount that keeps nothing at paths, but has rotations and leases that the caller may read.
    if (more.values.length > 0 && error instanceof Failure && error.code === 'bad_request')
      return []
    throw error
  }
}

const folder = (path: string) => (path.endsWith('/') ? path : `${path}/`)

/** Live values last: of a value in two places, the live one is told of. */
const inOrder = (values: readonly IndexedValue[]) =>
  values.toSorted((a, b) => Number(a.live) - Number(b.live) || a.version - b.version)

/** What rotations serve, and have served: a value that was served is not forgotten when it is revoked. */
export async function rotatedBelow(
  turn: Turn,
  { core, scope, path }: { core: Core; scope: Scope; path: string },
): Promise<IndexedValue[]> {
  const found: IndexedValue[] = []
  const { mounts } = await core.mounts.table(scope)
  for (const { path: at } of mounts) {
    const mount = await core.mounts.at(scope, at)
    if (!mount?.engine.rotations) continue
    for (const entry of await rotationsIn(scope, mount.entry.uuid)) {
      const kind = mount.engine.rotations[entry.of]
      const full = fullPathOf(mount, entry)
      if (!kind || !isBelow(full, path) || !mayThere(turn, { mount, kind, entry }, 'read')) continue
      const served = [entry.current, entry.previous, ...entry.spent].filter(
        (one) => one !== undefined,
      )
      for (const { number, credential } of served) {
        const about = { path: full, version: number, live: number === entry.current?.number }
        for (const [field, value] of textsIn(credential)) found.push({ ...about, field, value })
      }
    }
  }
  return found
}

async function valuesAt(
  view: TreeView,
  spot: Spot,
  path: string,
  now: number,
): Promise<IndexedValue[]> {
  view.note(spot, 'read')
  const leaf = await spot.tree.export(spot.store, spot.path, now)
  if (!leaf) return []
  const values: IndexedValue[] = []
  for (const [number, { text }] of Object.entries(leaf.versions)) {
    if (text === undefined) continue
    const version = Number(number)
    const about = { path, version, live: isLive(leaf, version, now) }
    for (const [field, value] of textsIn(parseJson(text))) values.push({ ...about, field, value })
  }
  return values
}

/** Whether a version is what is read now. */
export function isLive({ current, versions }: Leaf, version: number, now: number): boolean {
  const { deletion = 0 } = versions[version] ?? {}
  return version === current && (deletion === 0 || deletion > now)
}

function* textsIn(value: unknown, above = ''): Generator<[field: string, text: string]> {
  if (typeof value === 'string') yield [above, value]
  else if (isRawJson(value)) yield [above, value.rawJSON]
  else if (Array.isArray(value) || isObject(value)) {
    for (const [key, part] of Object.entries(value)) {
      yield* textsIn(part, above === '' ? key : `${above}/${key}`)
    }
  }
}

const signers = new WeakMap<Keyring, Signer>()

/** It follows from the barrier's fixed key: the same on every node, and after every rotation. */
function fingerprintSigner(keyring: Keyring): Signer {
  let signer = signers.get(keyring)
  if (!signer) {
    signer = ed25519Signer(keyring.derive('fingerprints/v1'))
    signers.set(keyring, signer)
  }
  return signer
}
