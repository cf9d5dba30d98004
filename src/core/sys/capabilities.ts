/** `sys/capabilities`: what a token may do at some paths, told for oneself or for another token. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import { type TokenEntry } from '../tokens.ts'
import { isWithin, namespaceById } from '../namespaces.ts'
import { tokenByAccessor, tokenById } from '../token/subject.ts'
import { policyPathOf, type Turn, turnOf, txOf } from '../turn.ts'
import { optionalText } from './mount-tune-fields.ts'

const pathFields = {
  paths: t.list({ help: 'The paths to ask about.' }),
  path: t.list({ help: 'As paths; the older name.', deprecated: true }),
}

type Paths = { paths: string[] | undefined; path: string[] | undefined }

export function capabilitiesEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('capabilities-self', {
      help: 'What the calling token may do at some paths.',
      injected: true,
      fields: { ...pathFields, token: optionalText({ help: 'Ignored.', sensitive: true }) },
      write: (call) => tell(call, turnOf(call as never)),
    }),
    endpoint('capabilities', {
      help: 'What a token may do at some paths.',
      injected: true,
      fields: { ...pathFields, token: optionalText({ help: 'The token.', sensitive: true }) },
      async write(call) {
        const { token } = call.data
        if (!token) return refuse('missing token')
        requirePaths(call.data)
        const found = await tokenById(core, call, token)
        return tellAbout(call, core, found ?? refuse('invalid token'))
      },
    }),
    endpoint('capabilities-accessor', {
      help: 'What the token of an accessor may do at some paths.',
      injected: true,
      fields: { ...pathFields, accessor: optionalText({ help: 'The accessor of a token.' }) },
      async write(call) {
        const { accessor } = call.data
        if (!accessor) return refuse('missing accessor')
        requirePaths(call.data)
        const found = await tokenByAccessor(core, call, accessor)
        return tellAbout(call, core, found ?? refuse('invalid accessor'))
      },
    }),
  ]
}

async function tellAbout(
  call: Call<Paths>,
  core: Core,
  token: TokenEntry,
): Promise<Record<string, unknown>> {
  const tx = txOf(call as never)
  const tokenNs = await namespaceById(tx, token.namespace?.id)
  // A token may only be asked about where it is, which may be below here.
  const { ns } = turnOf(call as never)
  const { acl } = await core.grantsOf(tx, token)
  return tell(call, { ns, tokenNs: tokenNs ?? ns, acl: acl })
}

function requirePaths({ paths, path }: Paths): string[] {
  const asked = [...(paths ?? []), ...(path ?? [])]
  return asked.length > 0 ? asked : refuse('paths must be supplied')
}

type Whose = Pick<Turn, 'ns' | 'tokenNs' | 'acl'>

function tell({ data }: Call<Paths>, whose: Whose): Record<string, unknown> {
  const asked = requirePaths(data)
  const told = asked.map((path): [string, readonly string[]] => [path, capabilitiesAt(whose, path)])
  return {
    ...Object.fromEntries(told),
    ...(told.length === 1 && { capabilities: told[0]![1] }),
  }
}

/** A path that no request can have is one at which nobody may do anything. */
function capabilitiesAt({ ns, tokenNs, acl }: Whose, path: string): readonly string[] {
  // A token of a namespace below may do nothing here.
  if (!acl || !isWithin(ns, tokenNs)) return ['deny']
  try {
    const canonical = canonicalInput(path.replace(/^\//, ''))
    return acl.capabilities(policyPathOf({ ns, tokenNs }, canonical))
  } catch {
    return acl.root ? ['root'] : ['deny']
  }
}
