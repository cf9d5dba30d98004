/** `data/…`: the secrets themselves. Every write makes a version; a delete can be taken back. */
import {
  type Call,
  endpoint,
  Failure,
  JsonText,
  type Parsed,
  refuse,
  reply,
  t,
  withStatus,
} from '../../kit/kit.ts'
import { type Answer } from '../../kit/reply.ts'
import { type Awaitable, whenReady } from '../../lib/awaitable.ts'
import { isObject, isRawJson, parseJson } from '../../lib/json.ts'
import { getConfig } from './config.ts'
import {
  addVersion,
  getSecret,
  isDeleted,
  type Key,
  newKey,
  newUid,
  putKey,
  type Secret,
  versionMetadata,
} from './key.ts'
import { getKey, takeKey } from './find-key.ts'
import { mergePatch } from './merge-patch.ts'
import { checkRotated } from './rotate/written.ts'
import { belowRoot } from './wrong-path.ts'

const fields = {
  path: t.rest({ help: 'Where the secret is kept.' }),
  version: t.int({ help: 'The version to read; 0 = the newest.', clear: true }),
  data: t.map({ help: 'The secret: a JSON object. Numbers keep every digit.' }),
  options: t.map({
    help: 'cas: the version this write follows; 0 = there must be no such key yet.',
  }),
}
type DataCall = Call<Parsed<typeof fields>>

/** Patch by patch a secret could outgrow what any single request may bring. */
export const SECRET_CHARS_MAX = 32 * 1024 * 1024

export const dataEndpoint = endpoint('data/:path*', {
  help: 'A secret and its versions.',
  description:
    'A write adds a version; a patch adds one that differs from the newest as RFC 7396 says. ' +
    'A delete marks the newest version as deleted, and undelete/ brings it back.',
  fields,
  exists: async ({ data, store }) => (await getKey(store, data.path)) !== undefined,
  read: belowRoot(readData),
  write: belowRoot(writeData),
  patch: belowRoot(patchData),
  delete: belowRoot(deleteData),
  example: { data: { username: 'app', password: 'a-long-secret' }, options: { cas: 0 } },
})

/** Most of what is read is cached, and then nothing is waited for. */
function readData(call: DataCall) {
  return whenReady(getKey(call.store, call.data.path), (key) => key && readVersion(call, key))
}

function readVersion({ data, store, now }: DataCall, key: Key): Awaitable<Answer> {
  const version = wantedVersion(key, data.version)
  const about = key.versions[version]
  if (!about) return undefined
  if (about.destroyed || isDeleted(about, now)) {
    return withStatus(404, { data: null, metadata: versionMetadata(key, version) })
  }
  const secret = getSecret(store, key, version)
  if (key.rotation)
    return whenReady(secret, (found) => servedText(data.path, { key, version, secret: found }))
  return whenReady(secret, (found) => wholeText({ key, version, secret: found }))
}

type Read = { key: Key; version: number; secret: Secret }

/** Who reads a rotated secret holds its generation from now on. */
function servedText(path: string, of: Read): Answer {
  const text = wholeText(of)
  const { kind, generations } = of.key.rotation!
  const generation = generations[of.version]
  if (generation === undefined) return text
  return reply({ data: text, served: { kind, name: path, generation } })
}

export function wantedVersion(key: Key, version: number | undefined): number {
  return version !== undefined && version > 0 ? version : key.current
}

/**
 * Replies by the stored secret they were made of. Stored objects keep their identity while they
 * are unchanged, so this is exact: a read again costs two look-ups and prints nothing, and the
 * audit form, which is kept by the identity of the reply, is made once too. Whether the version
 * is deleted by now is never part of it.
 */
const replies = new WeakMap<Secret, { key: Key; reply: JsonText }>()

function wholeText(of: Read): JsonText {
  const known = replies.get(of.secret)
  if (known?.key === of.key) return known.reply
  const metadata = JSON.stringify(versionMetadata(of.key, of.version))
  const reply = new JsonText(`{"data":${of.secret.data},"metadata":${metadata}}`)
  replies.set(of.secret, { key: of.key, reply })
  return reply
}

async function writeData(call: DataCall) {
  const { store, now, random } = call
  const path = writablePath(call.data.path)
  const data = dataOf(call)
  const text = JSON.stringify(data)
  const config = await getConfig(store)
  const key = (await takeKey(call, path)) ?? newKey(now, newUid(random))
  checkCas(call.data.options, { current: key.current, required: config.casRequired, key })
  if (key.rotation) await checkRotated(store, key, data)
  const made = addVersion(store, path, { key, config, text, now })
  call.emit({ type: 'kv.write', path, version: made.version })
  return made
}

async function patchData(call: DataCall) {
  const { store, now } = call
  const path = writablePath(call.data.path)
  const patch = dataOf(call)
  const key = await takeKey(call, path)
  if (!key) throw new Failure('not_found')
  const config = await getConfig(store)
  checkCas(call.data.options, { current: key.current, required: config.casRequired, key })
  const about = key.versions[key.current]
  if (!about) throw new Failure('not_found')
  if (about.destroyed || isDeleted(about, now)) {
    return withStatus(404, versionMetadata(key, key.current))
  }
  const secret = await getSecret(store, key, key.current)
  const data = mergePatch(parseJson(secret.data), patch)
  if (key.rotation) await checkRotated(store, key, isObject(data) ? data : {})
  const text = JSON.stringify(data)
  if (text.length > SECRET_CHARS_MAX) {
    refuse(`the patched secret would be longer than ${SECRET_CHARS_MAX} characters`)
  }
  const made = addVersion(store, path, { key, config, text, now })
  call.emit({ type: 'kv.patch', path, version: made.version })
  return made
}

/** Marks the newest version; nothing happens when there is none or it is gone already. */
async function deleteData(call: DataCall) {
  const { data, store, now } = call
  const key = await takeKey(call, data.path)
  const newest = key?.versions[key.current]
  if (!key || !newest || newest.destroyed || isDeleted(newest, now)) return undefined
  const versions = { ...key.versions, [key.current]: { ...newest, deletion: now } }
  putKey(store, data.path, { ...key, versions })
  call.emit({ type: 'kv.delete', path: data.path, version: key.current })
  return undefined
}

/** A key is never stored at the root or under the name of a folder. */
export function writablePath(path: string): string {
  if (path === '') refuse('missing path')
  if (path.endsWith('/')) refuse("cannot write to a path ending in '/'")
  return path
}

/** The body decides whether there is data: a parsed field would make an object of null. */
function dataOf({ data, body }: DataCall): Record<string, unknown> {
  if (!data.data || body['data'] === null) refuse('no data provided')
  return data.data
}

function checkCas(
  options: Record<string, unknown> | undefined,
  against: { current: number; required: boolean; key: Key },
): void {
  if (!options || !Object.hasOwn(options, 'cas')) {
    if (!against.required && !against.key.casRequired) return
    refuse('check-and-set parameter required for this call')
  }
  if (parseCas(options['cas']) !== against.current) {
    refuse('check-and-set parameter did not match the current version')
  }
}

function parseCas(input: unknown): number {
  const text = isRawJson(input) ? input.rawJSON : input
  if (typeof text === 'number' && Number.isInteger(text)) return text
  if (typeof text === 'string' && /^[+-]?\d+$/.test(text)) return Number(text)
  return refuse('error parsing check-and-set parameter')
}
