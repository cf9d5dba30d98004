/** `sys/coffer/honey`: baits, which nobody has a reason to touch; whoever does raises an alarm. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { readOne } from '../batch-read.ts'
import { type Core } from '../core.ts'
import {
  approleKey,
  type Bait,
  BAIT_KINDS,
  BAITS_MAX,
  type BaitKind,
  baitNames,
  getBait,
  kvKey,
  putBait,
  removeBait,
  tokenKey,
} from '../honey/baits.ts'
import { requirePlain } from '../plain-text.ts'
import { homeOf } from '../namespaces.ts'
import { treeView } from '../tree-view.ts'
import { isHere, scopeOf, turnOf, txOf } from '../turn.ts'

const name = t.name({ help: 'Name of the bait: what the alarm calls it.' })
const NOTE_MAX = 1_000

const fields = {
  name,
  kind: t.oneOf(BAIT_KINDS, {
    help: 'What it is: kv, approle or token.',
    clear: true,
  }),
  path: t.string({
    help: 'Of kv: the path as the command line has it, such as secret/app/db. Of approle: the mount.',
    default: '',
    clear: true,
  }),
  role: t.string({ help: 'Of approle: the name of the role.', default: '', clear: true }),
  accessor: t.string({ help: 'Of token: its accessor.', default: '' }),
  note: t.string({ help: 'What whoever is alarmed should know.', default: '' }),
  webhook: t.string({
    help: 'An address that is told of each touch with a signed POST.',
    default: '',
    sensitive: true,
  }),
  webhook_key: t.string({
    help: 'What signs it. Left out, one is made, and told in this answer alone.',
    default: '',
    sensitive: true,
  }),
}

type Data = {
  name: string
  kind: BaitKind | undefined
  path: string
  role: string
  accessor: string
  note: string
  webhook: string
  webhook_key: string
}

export function cofferHoneyEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/honey', {
      help: 'The names of all baits of this namespace.',
      fields: {},
      list: async (call) => ({ keys: await baitNames(scopeOf(call as never)) }),
    }),
    endpoint('coffer/honey/:name', {
      help: 'A bait: a secret, a role or a token that nobody has a reason to touch.',
      description:
        'Any touch, also one that is refused, raises an alarm: an audit entry of the type `honey`, an ' +
        'event `honey.touched`, a line in the log and a request to the webhook. Whoever touched it ' +
        'sees nothing of that. Setting one out needs sudo.',
      fields,
      access: 'sudo',
      accessFor: ['write'],
      exists: async (call) => (await getBait(scopeOf(call as never), call.data.name)) !== undefined,
      async read(call) {
        const bait = await getBait(scopeOf(call as never), call.data.name)
        if (!bait) throw new Failure('not_found', `no bait named "${call.data.name}"`)
        return shown(bait)
      },
      write: (call) => setOut(call as never, core, call.data),
      async delete(call) {
        await removeBait(txOf(call as never), scopeOf(call as never), call.data.name)
        return undefined
      },
      example: { kind: 'kv', path: 'secret/app/old-root', note: 'it was in the wiki' },
    }),
  ]
}

/** An address may be a secret of its own, so no more of it than where it leads. */
const shown = ({ of, path, role, accessor, setAt, webhook, note }: Bait) => ({
  kind: of,
  ...(path !== undefined && { path }),
  ...(role !== undefined && { role }),
  ...(accessor !== undefined && { accessor }),
  note,
  set_time: rfc3339(setAt),
  webhook: webhook ? new URL(webhook.url).origin : null,
})

async function setOut(call: Call<never>, core: Core, data: Data) {
  requirePlain('note', data.note, NOTE_MAX)
  const { kind } = data
  if (kind === undefined) return refuse('missing kind: kv, approle or token')
  const scope = scopeOf(call)
  const before = await getBait(scope, data.name)
  const hook = webhookOf(call, data, before)
  const bait: Bait = {
    of: kind,
    ...(await BAITS[kind](call, core, data)),
    note: data.note,
    setAt: call.now,
    ...(hook && { webhook: hook.webhook }),
  }
  const ref = { name: data.name, of: kind, ...homeOf(turnOf(call).ns) }
  const trouble = await putBait(txOf(call), scope, { ...ref, bait })
  if (trouble === 'taken') refuse('that is a bait already, under another name')
  if (trouble === 'too many') refuse(`there are ${BAITS_MAX} baits already`)
  return { ...shown(bait), ...(hook?.made && { webhook_key: hook.webhook.key }) }
}

function webhookOf({ random }: Call<never>, data: Data, before: Bait | undefined) {
  if (data.webhook === '') {
    if (data.webhook_key !== '') refuse('webhook_key is of no use without webhook')
    return undefined
  }
  const url = URL.parse(data.webhook)
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    refuse('webhook must be an http:// or https:// address without a user')
  }
  const given = data.webhook_key || before?.webhook?.key
  const key = given ?? Buffer.from(random(32)).toString('base64url')
  return { webhook: { url: url.href, key }, made: given === undefined }
}

type Baited = Pick<Bait, 'key' | 'path' | 'role' | 'accessor'>
type Find = (call: Call<never>, core: Core, data: Data) => Promise<Baited>

/** Whoever sets out a bait must be allowed to see what it is. */
const BAITS: Record<BaitKind, Find> = {
  async kv(call, core, { path }) {
    if (path === '') refuse('missing path: the secret, such as secret/app/db')
    const view = treeView(call, core, scopeOf(call))
    const spot = await view.at(path)
    view.require(spot, 'describe')
    if (spot.path === '' || spot.path.endsWith('/')) refuse('path must be a secret, not a folder')
    return { key: kvKey(spot.mount, spot.path), path: spot.mount.entry.path + spot.path }
  },
  async approle(call, core, { path, role }) {
    if (role === '') refuse('missing role: the name of the role')
    const at = `${path.replace(/^\/|\/$/g, '') || 'auth/approle'}/`
    const mount = await core.mounts.at(scopeOf(call), at)
    if (mount?.entry.type !== 'approle') refuse(`no approle is mounted at "${at}"`)
    const answer = await readOne(turnOf(call), core, {
      path: `${at}role/${role}/role-id`,
      data: {},
    })
    const id = Object(answer.data)['role_id'] as unknown
    if (typeof id !== 'string') {
      const why = answer.errors?.[0] ?? 'there is none of that name'
      refuse(`the id of the role "${role}" could not be read: ${why}`)
    }
    return { key: approleKey(mount, id), path: at, role }
  },
  async token(call, core, { accessor }) {
    if (accessor === '') refuse('missing accessor: of the token')
    const token = await core.tokens.byAccessor(txOf(call), accessor, call.now)
    if (!token || !(await isHere(call, token.namespace)))
      refuse('there is no token of that accessor')
    return { key: tokenKey(accessor), accessor }
  },
}
