/**
 * What a test has been told is done, and what it asked for without an answer: held against the
 * server after a crash. Each record has one writer, so it is known exactly, but for one pending
 * operation, which must have happened wholly or not at all.
 */
import { at, type Client } from './client.ts'

/** A kv key by the ids of its versions: `versions[0]` is version 1. */
export type KeyRecord = {
  kind: 'key'
  name: string
  versions: readonly string[]
  pending?: readonly string[] | undefined
}
export type PolicyRecord = {
  kind: 'policy'
  name: string
  text: string | undefined
  pending?: string | undefined
}
/** `ending`: its revocation was asked for, or is known to be done. */
export type TokenRecord = {
  kind: 'token'
  id: string
  accessor: string
  mark: string
  ending: 'no' | 'asked' | 'done'
}
export type Record_ = KeyRecord | PolicyRecord | TokenRecord

/** One sentence for each thing that is not as it must be. */
export type Findings = { lost: string[]; half: string[] }

const KEPT_VERSIONS = 10

export async function checkRecord(
  client: Client,
  record: Record_,
  findings: Findings,
): Promise<void> {
  if (record.kind === 'key') await checkKey(client, record, findings)
  else if (record.kind === 'policy') await checkPolicy(client, record, findings)
  else await checkToken(client, record, findings)
}

async function checkKey(client: Client, record: KeyRecord, findings: Findings): Promise<void> {
  const { name } = record
  const found = await readKey(client, name)
  if (found.half) findings.half.push(`${name}: ${found.half}`)
  const fits = (versions: readonly string[]) =>
    found.current === versions.length &&
    [...found.ids].every(([version, id]) => versions[version - 1] === id) &&
    found.ids.size === Math.min(versions.length, KEPT_VERSIONS)
  if (fits(record.versions)) {
    record.pending = undefined
  } else if (record.pending && fits(record.pending)) {
    record.versions = record.pending
    record.pending = undefined
  } else {
    findings.lost.push(`${name}: ${record.versions.length} versions, found ${found.current}`)
  }
}

/** The ids of a key's versions, read through both its faces: the list and each version. */
async function readKey(client: Client, name: string) {
  const ids = new Map<number, string>()
  const metadata = await client.ask('GET', `secret/metadata/${name}`)
  if (metadata.status === 404) {
    const left = await client.ask('GET', `secret/data/${name}`)
    return { current: 0, ids, half: left.status === 404 ? '' : 'data without metadata' }
  }
  const current = at(metadata.body, 'data', 'current_version') as number
  const versions = Object.keys(at(metadata.body, 'data', 'versions') ?? {}).map(Number)
  let half = Math.max(0, ...versions) === current ? '' : 'the newest version is not listed'
  for (const version of versions) {
    const { status, body } = await client.ask('GET', `secret/data/${name}?version=${version}`)
    const id = at(body, 'data', 'data', 'id')
    if (status === 200 && typeof id === 'string') ids.set(version, id)
    else half = `version ${version} is listed but answers ${status}`
  }
  return { current, ids, half }
}

async function checkPolicy(
  client: Client,
  record: PolicyRecord,
  findings: Findings,
): Promise<void> {
  const { status, body } = await client.ask('GET', `sys/policies/acl/${record.name}`)
  const text = status === 200 ? (at(body, 'data', 'policy') as string) : undefined
  if (text !== record.text && (text === undefined || text !== record.pending)) {
    findings.lost.push(`policy ${record.name}: is not what was acknowledged (${status})`)
  }
  record.text = text
  record.pending = undefined
}

async function checkToken(client: Client, record: TokenRecord, findings: Findings): Promise<void> {
  const self = await client.ask('GET', 'auth/token/lookup-self', undefined, { token: record.id })
  const seen = await lookUp(client, record.accessor)
  const [byId, byAccessor] = [self.status === 200, seen.status === 200]
  const name = `token ${record.mark}`
  if (byId !== byAccessor) findings.half.push(`${name}: id ${byId}, accessor ${byAccessor}`)
  if (byId && at(self.body, 'data', 'accessor') !== record.accessor) {
    findings.half.push(`${name}: another accessor`)
  }
  if (byId && at(self.body, 'data', 'meta', 'mark') !== record.mark) {
    findings.half.push(`${name}: another's metadata`)
  }
  if (!byId && record.ending === 'no') findings.lost.push(`${name}: unknown`)
  if (byId && record.ending === 'done') findings.lost.push(`${name}: revoked, yet it lives`)
  record.ending = byId ? 'no' : 'done'
}

const lookUp = (client: Client, accessor: string) =>
  client.ask('POST', 'auth/token/lookup-accessor', { accessor })

/** Every accessor that is listed leads to a token. */
export async function checkAccessors(client: Client, findings: Findings): Promise<number> {
  const { body } = await client.ask('LIST', 'auth/token/accessors')
  const accessors = (at(body, 'data', 'keys') ?? []) as string[]
  await inParallel(accessors, async (accessor) => {
    const { status } = await lookUp(client, accessor)
    if (status !== 200) findings.half.push(`an accessor is listed but answers ${status}`)
  })
  return accessors.length
}

/** Runs `act` for all, sixteen at a time. */
export async function inParallel<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items].reverse()
  const walk = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item)
  }
  await Promise.all(Array.from({ length: 16 }, walk))
}
