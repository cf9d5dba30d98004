/**
 * From a name and a password to who that is in the directory. The user is searched with the server's
 * own bind, or bound directly; the directory alone decides about the password.
 */
import { Failure, refuse } from '../../kit/kit.ts'
import { type Config } from './config.ts'
import type { Directory, Found } from './directory.ts'
import { commonNameIn, escapeDn, escapeFilter, keyOfName, renderFilter, sidText } from './names.ts'

/** Loaded by the first login: with TLS and the library it is several megabytes. */
const openDirectory = async (config: Config): Promise<Directory> =>
  (await import('./directory.ts')).openDirectory(config)

export type Person = {
  readonly dn: string
  /** What the directory has under `userattr`, as it spells it; undefined when it may not be seen. */
  readonly attribute: string | undefined
  /** Names of the groups that the directory has the user in. */
  readonly groups: readonly string[]
}

const REFUSED = 'ldap operation failed: failed to bind as user'

/** Refuses (400) alike whether the name or the password is wrong. `name` is a typed name. */
export async function authenticate(
  config: Config,
  name: string,
  password: string,
): Promise<Person> {
  await using directory = await openDirectory(config)
  const dn = await bindNameOf(config, directory, name)
  // Who is not there gets a question as well: it must not be quicker to ask for nobody.
  const bound = await directory.bind(dn ?? directName(config, name), password)
  if (dn === undefined || !bound) return refuse(REFUSED)
  if (hasOwnBind(config)) await ownBind(config, directory)
  const person = await personOf(config, directory, { name, dn })
  return person ?? refuse(REFUSED)
}

/** The same without a password, for a renewal; undefined when the user is gone. */
export async function lookUp(config: Config, name: string): Promise<Person | undefined> {
  await using directory = await openDirectory(config)
  const dn = await bindNameOf(config, directory, name)
  return dn === undefined ? undefined : await personOf(config, directory, { name, dn })
}

const hasOwnBind = ({ binddn, bindpass }: Config) => binddn !== '' && bindpass !== ''

/** Whether users are searched before they are bound, and so can be found without their password. */
export const canLookUp = (config: Config): boolean => config.discoverdn || hasOwnBind(config)

async function ownBind(config: Config, directory: Directory): Promise<void> {
  if (!hasOwnBind(config)) return
  if (await directory.bind(config.binddn, config.bindpass)) return
  const text = 'ldap operation failed: failed to bind with binddn'
  // The operator's password is wrong, not the user's.
  throw new Failure('bad_request', text, { guessed: false })
}

/** What to bind as; undefined when there is no such user, or more than one. */
async function bindNameOf(config: Config, directory: Directory, name: string) {
  if (!canLookUp(config)) return directName(config, name)
  await ownBind(config, directory)
  return (await searchUser(config, directory, name))?.dn
}

function directName({ upndomain, userattr, userdn }: Config, name: string): string {
  if (upndomain !== '') return `${name}@${upndomain}`
  return `${userattr}=${escapeDn(name)}${userdn === '' ? '' : `,${userdn}`}`
}

async function searchUser(config: Config, directory: Directory, name: string) {
  const { upndomain, userattr } = config
  const username = escapeFilter(upndomain === '' ? name : `${name}@${upndomain}`)
  return only(
    await directory.search({
      base: config.userdn,
      filter: renderFilter(config.userfilter, { UserAttr: userattr, Username: username }),
      attributes: [userattr],
      limit: 2,
    }),
  )
}

/** Two that fit are none: nobody may be let in as somebody else. */
const only = (found: readonly Found[] | undefined): Found | undefined =>
  found?.length === 1 ? found[0] : undefined

/** Undefined when the directory spells the name otherwise and the case counts. */
async function personOf(
  config: Config,
  directory: Directory,
  { name, dn }: { name: string; dn: string },
): Promise<Person | undefined> {
  const entry = await entryOf(config, directory, { name, dn })
  const spellings = entry?.values(config.userattr).map(String) ?? []
  const same = (text: string) =>
    keyOfName(text, config.case_sensitive_names) === keyOfName(name, config.case_sensitive_names)
  if (config.case_sensitive_names && entry && spellings.length > 0 && !spellings.some(same)) {
    return undefined
  }
  const userDn = entry?.dn ?? dn
  return {
    dn: userDn,
    // Of several values always the same one, whichever of them was typed.
    attribute: spellings.sort()[0],
    groups: await groupsOf(config, directory, { name, dn: userDn }),
  }
}

async function entryOf(
  config: Config,
  directory: Directory,
  { name, dn }: { name: string; dn: string },
): Promise<Found | undefined> {
  const { upndomain, userattr, userdn } = config
  if (canLookUp(config)) return searchUser(config, directory, name)
  if (upndomain === '') {
    const filter = '(objectClass=*)'
    return only(
      await directory.search({ base: dn, scope: 'base', filter, attributes: [userattr], limit: 2 }),
    )
  }
  const principal = escapeFilter(`${name}@${upndomain}`)
  const filter = `(userPrincipalName=${principal})`
  return only(await directory.search({ base: userdn, filter, attributes: [userattr], limit: 2 }))
}

async function groupsOf(
  config: Config,
  bound: Directory,
  person: { name: string; dn: string },
): Promise<string[]> {
  if (!config.anonymous_group_search) return searchGroups(config, bound, person)
  await using anonymous = await openDirectory(config)
  return await searchGroups(config, anonymous, person)
}

async function searchGroups(
  config: Config,
  directory: Directory,
  { name, dn }: { name: string; dn: string },
): Promise<string[]> {
  if (config.use_token_groups) return tokenGroups(config, directory, dn)
  const { groupdn, groupfilter, groupattr } = config
  if (groupdn === '' || groupfilter === '') return []
  const values = { UserDN: escapeFilter(dn), Username: escapeFilter(name) }
  const filter = renderFilter(groupfilter, values)
  const found = await directory.search({ base: groupdn, filter, attributes: [groupattr] })
  const names = (found ?? []).flatMap((group) => {
    const held = group.values(groupattr).map(String)
    return held.length > 0 ? held : [group.dn]
  })
  return distinct(names.map((each) => commonNameIn(each, config.use_pre111_group_cn_behavior)))
}

/** Active Directory lists all groups of a user, nested ones too, by their security identifiers. */
async function tokenGroups(config: Config, directory: Directory, dn: string): Promise<string[]> {
  const filter = '(objectClass=*)'
  const ask = async (base: string, attribute: string) => {
    const found = await directory.search({ base, scope: 'base', filter, attributes: [attribute] })
    return found?.[0]
  }
  const sids = (await ask(dn, 'tokenGroups'))?.values('tokenGroups') ?? []
  const names: string[] = []
  for (const sid of sids) {
    const text = sidText(sid)
    const group = text === undefined ? undefined : await ask(`<SID=${text}>`, 'cn')
    const name = group?.values('cn')[0]?.toString() ?? group?.dn
    if (name !== undefined) names.push(commonNameIn(name, config.use_pre111_group_cn_behavior))
  }
  return distinct(names)
}

const distinct = (names: readonly string[]) => [...new Set(names)].filter((name) => name !== '')
