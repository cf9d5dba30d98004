/** The login with the password of a directory. The password is asked there and kept nowhere. */
import {
  Failure,
  type Call,
  checkSamePolicies,
  checkTokenPeer,
  endpoint,
  login,
  refuse,
  t,
  tokenParams,
} from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { typedName } from '../../lib/typed-name.ts'
import { authenticate, canLookUp, lookUp } from './authenticate.ts'
import { type Config, readConfig } from './config.ts'
import { mapped } from './mappings.ts'
import { keyOfName } from './names.ts'

/** Given back at renewal. */
type Internal = { username: string; groups: readonly string[]; policies: readonly string[] }

export const loginEndpoint = endpoint('login/:username', {
  help: 'A token for a user and a password of the directory.',
  access: 'login',
  fields: {
    username: t.segment({ help: 'Name of the user.' }),
    password: t.string({ help: 'The password.', sensitive: true }),
  },
  // Whatever the directory thinks of case: guesses at one person are counted in one place.
  userOf: ({ data }) => typedName(data.username)?.toLowerCase(),
  write: logIn,
  example: { password: 'correct horse battery staple' },
})

/** What is wrong here is not the password: it must lock nobody out. */
function refuseUncounted(text: string): never {
  throw new Failure('bad_request', text, { guessed: false })
}

async function logIn(call: Call<{ username: string; password: string | undefined }>) {
  const { data, store } = call
  const config = (await readConfig(store)) ?? refuseUncounted('ldap backend not configured')
  const { password = '' } = data
  if (password === '') {
    refuseUncounted('password cannot be of zero length when passwordless binds are being denied')
  }
  const name = typedName(data.username)
  if (name === undefined) return refuse('ldap operation failed: failed to bind as user')
  const person = await call.once(['ldap', config, name], () => authenticate(config, name, password))
  const own = ownName(config, name)
  const alias = config.username_as_alias ? own : person.attribute
  if (alias === undefined || alias === '') {
    return refuseUncounted('missing entity alias attribute value')
  }
  checkTokenPeer(config, call.remoteAddress)
  if (person.groups.length === 0) {
    call.warn(
      `no LDAP groups found in groupDN ${JSON.stringify(config.groupdn)}; only policies from` +
        ' locally-defined groups available',
    )
  }
  const here = await mapped(store, {
    name,
    found: person.groups,
    caseSensitive: config.case_sensitive_names,
  })
  const internal: Internal = { username: name, groups: person.groups, policies: here.policies }
  return login({
    alias,
    aliasMetadata: { name: own },
    groups: here.groups,
    displayName: own,
    metadata: { username: own },
    token: tokenOf(config, here.policies),
    internal,
  })
}

const ownName = (config: Config, name: string) => keyOfName(name, config.case_sensitive_names)

function tokenOf(config: Config, policies: readonly string[]): TokenParams {
  const params = tokenParams(config)
  return { ...params, policies: [...new Set([...params.policies, ...policies])].sort() }
}

/**
 * The settings as they are now. Where users can be searched without their password, who is gone from
 * the directory is not renewed, and groups count as they are now; elsewhere as they were at the login.
 */
export async function renewLogin(
  call: Pick<Call<unknown>, 'store' | 'once'>,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const { username: name, groups: then, policies } = internal as Internal
  const config = await readConfig(call.store)
  if (!config) return undefined
  let found = then
  if (canLookUp(config)) {
    const person = await call.once(['ldap renewal', config, name], () => lookUp(config, name))
    if (!person) return undefined
    found = person.groups
  }
  const caseSensitive = config.case_sensitive_names
  const here = await mapped(call.store, { name, found, caseSensitive })
  checkSamePolicies(here.policies, policies)
  return tokenOf(config, here.policies)
}
