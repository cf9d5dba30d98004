/**
 * `sys/remount`: gives a mount another path. Its data lies under its uuid, so nothing is copied and
 * the move is done when the answer goes out; the migration id is for clients that ask anyway.
 * Leases keep the ids they were issued with, tokens the path they were created by.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { warn } from '../../kit/reply.ts'
import { uuid } from '../../lib/random.ts'
import { t } from '../../schema/field.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import { type MountEntry } from '../mounts.ts'
import { scopeOf } from '../turn.ts'
import { optionalText } from './mount-tune-fields.ts'
import { namespacePaths } from './namespaces-below.ts'
import { checkNewPath, isFixed } from './mounts-path.ts'

type Taken = Pick<MountEntry, 'path' | 'class'>
type Move = { id: string; source: string; target: string }
type Moves = { moves: Move[] }

const MOVES_PATH = 'sys/remounts'
/** The latest moves that can be asked about. */
const MOVES_MAX = 100
const QUEUED =
  "Mount move has been queued. Progress will be reported in Vault's server log, tagged with the returned migration_id"

export function remountEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('remount', {
      help: 'Gives a mount another path.',
      access: 'sudo',
      injected: true,
      fields: {
        from: optionalText({ help: 'Where it is, auth/ included.', clear: true }),
        to: optionalText({ help: 'Where it shall be.', clear: true }),
      },
      async write(call) {
        const { from = '', to = '' } = call.data
        if (from === '' || to === '') {
          refuse("both 'from' and 'to' path must be specified as a string")
        }
        const source = tableForm(from)
        const target = tableForm(to)
        const scope = scopeOf(call as never)
        const taken = await namespacePaths(call as never)
        await move(core, scope, { source, target, taken })
        const id = uuid(call.random)
        const { moves } = await movesOf(scope)
        const latest = [...moves, { id, source, target }].slice(-MOVES_MAX)
        scope.put(MOVES_PATH, { moves: latest } satisfies Moves)
        return warn([QUEUED], { migration_id: id })
      },
    }),
    endpoint('remount/status/:migration_id', {
      help: 'How far a move has come.',
      fields: { migration_id: t.segment({ help: 'As remount has returned it.' }) },
      async read(call) {
        const { moves } = await movesOf(scopeOf(call as never))
        const found = moves.find(({ id }) => id === call.data.migration_id)
        if (!found) return undefined
        const { id, source, target } = found
        return {
          migration_id: id,
          migration_info: { source_mount: source, target_mount: target, status: 'success' },
        }
      },
    }),
  ]
}

const movesOf = async (scope: Scope) => (await scope.get<Moves>(MOVES_PATH)) ?? { moves: [] }

/** As in the table: without a slash in front, with one at the end. */
function tableForm(path: string): string {
  const bare = path.replace(/^\//, '').replace(/\/$/, '')
  if (bare === '') refuse("both 'from' and 'to' path must be specified as a string")
  return `${canonicalInput(bare)}/`
}

async function move(
  core: Core,
  scope: Scope,
  { source, target, taken }: { source: string; target: string; taken: readonly Taken[] },
): Promise<void> {
  for (const { path } of taken) {
    if (source.startsWith(path) || target.startsWith(path)) {
      refuse('a mount cannot be moved from one namespace to another')
    }
  }
  const { mounts } = await core.mounts.table(scope)
  const entry = mounts.find((mount) => mount.path === source)
  if (!entry) return refuse(`no matching mount at "${source}"`)
  if (isFixed(entry)) refuse(`cannot remount "${source}"`)
  if (source === target) refuse(`path is already in use at ${target}`)
  const toAuth = target.startsWith('auth/')
  if (toAuth && entry.class === 'secret') refuse('cannot remount a secrets engine below "auth/"')
  if (!toAuth && entry.class === 'auth') refuse('cannot remount an auth method outside "auth/"')
  const others = mounts.filter((mount) => mount !== entry)
  checkNewPath(target, entry.class, { others: [...others, ...taken], verb: 'remount to' })
  const former = new Set([...(entry.former_paths ?? []), source])
  const moved: MountEntry = { ...entry, path: target, former_paths: [...former] }
  core.mounts.save(scope, [...others, moved])
}
