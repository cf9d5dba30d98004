/** `sys/coffer/fingerprints`: what a scanner needs to recognise secrets without having them. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { fingerprintsBelow, rotatedBelow } from '../fingerprints.ts'
import { issuedBelow } from '../issued.ts'
import { scopeIn } from '../namespaces.ts'
import { treeView } from '../tree-view.ts'
import { turnOf } from '../turn.ts'

export function cofferFingerprintsEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/fingerprints', {
      help: 'An index by which a scanner recognises secrets, and from which nobody can read them.',
      description:
        'Of every version of the secrets below a path that the caller may read, it holds keyed ' +
        'fingerprints of their texts in the forms they are usually written in, and where they are ' +
        'kept; and of what rotations and leases have given out, until a week after it has ended. ' +
        'Texts that are short or easy to guess are left out and counted. Each secret that went in ' +
        'has its own entry in the audit log.',
      fields: {
        path: t.string({
          help: 'Where to begin, with the mount; empty = all mounts.',
          default: '',
          clear: true,
        }),
      },
      write: (call) => indexFor(call as never, core, call.data.path),
      example: { path: 'secret/app/' },
    }),
  ]
}

/** Looks at the store beside the transaction: a long look must not meet each write. */
async function indexFor(call: Call<never>, core: Core, path: string) {
  const aside = await core.begin(false)
  const keyring = core.keeper.space?.keyring
  if (!aside || !keyring) throw new Failure('sealed')
  const turn = turnOf(call)
  const scope = scopeIn(aside, turn.ns)
  const view = treeView(call, core, scope)
  const below = path.replace(/^\//, '')
  const rotated = await rotatedBelow(turn, { core, scope, path: below })
  const issued = await issuedBelow(turn, { core, scope, path: below })
  const more = { values: [...rotated, ...issued.values], truncated: issued.truncated }
  const asked = { path: below, now: call.now, keyring, more }
  return { ...(await fingerprintsBelow(view, asked)) }
}
