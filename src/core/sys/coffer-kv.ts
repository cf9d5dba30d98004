/** `sys/coffer/kv/…`: moves, copies, lists and searches secrets over all kv mounts. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { type Field, type FieldOptions, type Parsed, t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { scopeIn } from '../namespaces.ts'
import { search } from '../tree-search.ts'
import { transfer } from '../tree-transfer.ts'
import { treeView } from '../tree-view.ts'
import { scopeOf, turnOf } from '../turn.ts'

const LIMIT = 1_000
const LIMIT_MAX = 10_000

const pathField = (options: FieldOptions): Field<string | undefined> =>
  t.string({ ...options, clear: true })

const transferFields = {
  from: t.string({ help: 'The secret, or the folder.', required: 'missing from', clear: true }),
  to: t.string({ help: 'Where it shall be.', required: 'missing to', clear: true }),
  recursive: t.bool({ help: 'The folder with all below it.', default: false, clear: true }),
  overwrite: t.bool({
    help: 'Replaces what is at the target, with all its versions.',
    default: false,
    clear: true,
  }),
  cas: t.int({
    help: 'The version that must be at the target, which is then replaced; for one secret.',
    clear: true,
  }),
  newest_only: t.bool({
    help: 'To a mount without versions: takes the newest version and leaves the rest behind.',
    default: false,
    clear: true,
  }),
  dry_run: t.bool({ help: 'Only tells what would be done.', default: false, clear: true }),
}
type TransferCall = Call<Parsed<typeof transferFields>>

const pageFields = {
  path: pathField({ help: 'Where to begin, with the mount; empty = all mounts.' }),
  after: pathField({ help: 'Only paths behind this one: `next` of the answer before.' }),
  limit: t.int({ help: `How many paths at most; up to ${LIMIT_MAX}.`, clear: true }),
}

const findFields = {
  ...pageFields,
  key: pathField({ help: 'A pattern for the path or its last segment; * is any characters.' }),
  field: pathField({ help: 'A pattern for the name of a field, at any depth.' }),
  metadata: t.string({ help: 'Custom metadata: name or name=value; patterns both.' }),
  value: t.string({ help: 'The value of a field, exactly.', sensitive: true }),
}

const ALLOWED =
  'Every path is judged by the policies of the caller as if it had been asked for alone, and has ' +
  'its own entry in the audit log. '

export function cofferKvEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/kv/move', {
      help: 'Moves a secret, or a folder, with all versions and metadata.',
      description:
        `${ALLOWED}All of it is moved or nothing. It takes read and delete of the source and its ` +
        'metadata, and create or update of the target and its metadata. Nothing is overwritten ' +
        'unless that is asked for.',
      fields: transferFields,
      write: (call) => transferred(call, core, true),
      example: { from: 'secret/app/', to: 'team/app/', recursive: true },
    }),
    endpoint('coffer/kv/copy', {
      help: 'Copies a secret, or a folder, with all versions and metadata.',
      description: `${ALLOWED}As move, and the source stays.`,
      fields: transferFields,
      write: (call) => transferred(call, core, false),
      example: { from: 'secret/app/db', to: 'secret/app/db-old' },
    }),
    endpoint('coffer/kv/list', {
      help: 'All secrets below a path, over mounts.',
      description: `${ALLOWED}Shown is what lies in folders the caller may list and what they may read.`,
      fields: pageFields,
      write: (call) => found(call as never, core, call.data),
      example: { path: 'secret/app/' },
    }),
    endpoint('coffer/kv/find', {
      help: 'Finds secrets by their path, the names of their fields, their metadata or a value.',
      description:
        `${ALLOWED}Paths are answered, never values; who asks about what is inside must be ` +
        'allowed to read it. Where `next` is not null, the search goes on after it.',
      fields: findFields,
      write(call) {
        const { key, field, metadata, value } = call.data
        if (!key && !field && !metadata && !value) {
          refuse('say what to find: key, field, metadata or value')
        }
        return found(call as never, core, call.data)
      },
      example: { path: 'secret/', key: '*db*', field: 'pass*' },
    }),
  ]
}

async function transferred(call: TransferCall, core: Core, move: boolean) {
  const { from, to, recursive, overwrite, cas, newest_only: newestOnly } = call.data
  if (cas !== undefined && cas < 0) refuse('cas must not be negative')
  const plain = call as never
  const view = treeView(plain, core, scopeOf(plain))
  const asked = { from, to, recursive, overwrite, cas, newestOnly, dryRun: call.data.dry_run }
  const paths = await transfer(plain, view, { ...asked, move })
  return { count: paths.length, paths }
}

type Asked = Partial<Parsed<typeof findFields>>

/** Looks at the store as it is now, beside the transaction: a long look must not meet each write. */
async function found(call: Call<never>, core: Core, asked: Asked) {
  const { limit = 0, path = '', after } = asked
  if (limit > LIMIT_MAX) refuse(`limit must be at most ${LIMIT_MAX}`)
  const aside = await core.begin(false)
  if (!aside) return undefined
  const view = treeView(call, core, scopeIn(aside, turnOf(call).ns))
  return search(view, {
    path: path.replace(/^\//, ''),
    key: asked.key || undefined,
    field: asked.field || undefined,
    value: asked.value || undefined,
    metadata: asked.metadata || undefined,
    after: after || undefined,
    limit: limit > 0 ? limit : LIMIT,
    now: call.now,
  })
}
