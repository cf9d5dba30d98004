/**
 * `sys/policies/acl`, and `sys/policy` as older clients know it: the ACL policies. A policy counts
 * from the next request on, for every token that names it.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { type Reply, warn } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { decodePolicyText, parsePolicy, PolicyError, policyName } from '../policies.ts'
import { getPolicy, type PolicyEntry, policyPath } from '../policy-store.ts'
import { scopeOf, turnOf } from '../turn.ts'
import { optionalText } from './mount-tune-fields.ts'
import { requireSpelling } from './mounts-path.ts'

const ROOT = 'root'
/** Kept by the server: neither written nor deleted, by nobody. */
const FIXED = new Set([ROOT, 'response-wrapping'])

const name = t.rest({ help: 'The name of the policy; upper case counts as lower case.' })
const policy = optionalText({ help: 'The policy in HCL or JSON, in base64 if you like.' })

export function policiesEndpoints(): Endpoint[] {
  return [
    endpoint('policies/acl', {
      help: 'The names of all policies.',
      fields: {},
      list: async (call) => ({ keys: await policyNames(scopeOf(call as never)) }),
      scan: async (call) => ({ keys: await policyNames(scopeOf(call as never)) }),
    }),
    endpoint('policies/acl/:name*', {
      help: 'A policy: what those who have it may do, path by path.',
      fields: { name, policy },
      async read(call) {
        const found = await readPolicy(call)
        return found && { name: found.name, policy: found.text }
      },
      write: (call) => writePolicy(call, call.data.policy ?? ''),
      delete: deletePolicy,
    }),
    endpoint('policy', {
      help: 'The names of all policies; the older form.',
      fields: {},
      injected: true,
      read: async (call) => bothLists(await policyNames(scopeOf(call as never))),
      list: async (call) => bothLists(await policyNames(scopeOf(call as never))),
    }),
    endpoint('policy/:name*', {
      help: 'A policy; the older form.',
      injected: true,
      fields: {
        name,
        policy,
        rules: optionalText({ help: 'As policy; the older name.', deprecated: true }),
      },
      async read(call) {
        const found = await readPolicy(call)
        return found && { name: found.name, rules: found.text }
      },
      write(call) {
        const { rules = '' } = call.data
        if (rules !== '') call.warn("'rules' is deprecated, please use 'policy' instead")
        return writePolicy(call, call.data.policy || rules)
      },
      delete: deletePolicy,
    }),
  ]
}

const bothLists = (keys: string[]) => ({ keys, policies: keys })

/** `root`, which is not stored, comes last. */
export async function policyNames(scope: Scope): Promise<string[]> {
  const names: string[] = []
  await collect(scope, '', names)
  return [...names, ROOT]
}

/** Names may have slashes, which make folders in storage. */
async function collect(scope: Scope, folder: string, names: string[]): Promise<void> {
  for (const each of await scope.list(policyPath(folder))) {
    if (each.endsWith('/')) await collect(scope, folder + each, names)
    else names.push(folder + each)
  }
}

type Named = Call<{ name: string }>

/**
 * The one form of the name, or why there can be no such policy. The caller must be allowed to come
 * by this form too, whatever they have written.
 */
function nameOf(call: Named): { name: string } | { problem: string } {
  try {
    const canonical = policyName(call.data.name)
    // In storage a name is a path.
    if (canonical.split('/').some((part) => part === '' || part !== part.trim())) {
      return { problem: 'policy name must not have empty segments or blanks around a segment' }
    }
    const turn = turnOf(call as never)
    const prefix = turn.path.slice(0, turn.path.length - call.data.name.length)
    requireSpelling(call as never, prefix + canonical)
    return { name: canonical }
  } catch (error) {
    if (error instanceof PolicyError) return { problem: error.message }
    throw error
  }
}

async function readPolicy(call: Named): Promise<PolicyEntry | undefined> {
  const named = nameOf(call)
  if ('problem' in named) return undefined
  if (named.name === ROOT) return { name: ROOT, text: '' }
  const scope = scopeOf(call as never)
  return FIXED.has(named.name) ? getPolicy(scope, named.name) : scope.get(policyPath(named.name))
}

function writePolicy(call: Named, given: string): Reply | undefined {
  const named = nameOf(call)
  if ('problem' in named) return refuse(named.problem)
  if (FIXED.has(named.name)) refuse(`cannot update "${named.name}" policy`)
  if (given === '') refuse("'policy' parameter not supplied or empty")
  const text = decodePolicyText(given)
  try {
    parsePolicy(text)
  } catch (error) {
    if (error instanceof PolicyError) refuse(error.message)
    throw error
  }
  const entry: PolicyEntry = { name: named.name, text }
  scopeOf(call as never).put(policyPath(named.name), entry)
  if (named.name === call.data.name) return undefined
  return warn([`policy name was converted to ${named.name}`])
}

function deletePolicy(call: Named): undefined {
  const named = nameOf(call)
  if ('problem' in named) return undefined
  if (named.name === 'default') refuse('cannot delete default policy')
  if (FIXED.has(named.name)) refuse(`cannot delete "${named.name}" policy`)
  scopeOf(call as never).remove(policyPath(named.name))
  return undefined
}
