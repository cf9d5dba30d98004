/**
 * Audit devices: list, add, remove, and hash a value as a device would. A device is opened and written
 * to before it enters the table, so one that cannot write never gets in the way of every request.
 *
 * Whoever may add a device through the API names a file that this server will write to. So a device
 * from here writes hashed lines and nothing else: no clear values, no text of the caller's own at
 * the front, no file that could be run; those need the operator's configuration file.
 */
import { resolve } from 'node:path'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { JsonText } from '../../kit/json-text.ts'
import { type AuditDevice } from '../../kit/audit-device.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { uuid } from '../../lib/random.ts'
import { parseBool, t } from '../../schema/field.ts'
import { type Tx } from '../../barrier/space.ts'
import { type AuditChain, auditSigner, type Checkpoint, keyId } from '../audit-chain.ts'
import { AUDIT_PATH, type AuditEntry, type AuditTable } from '../audit.ts'
import { checkpoints, putCheckpoint } from '../audit-witness.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import { turnOf, txOf } from '../turn.ts'

export type AuditOptions = {
  /** Files of devices that the API adds must lie below it; without it, anywhere. */
  auditDirectory?: string
}

export function auditEndpoints(core: Core, options: AuditOptions = {}): Endpoint[] {
  return [listEndpoint(), deviceEndpoint(core, options), hashEndpoint(core), witnessEndpoint()]
}

async function devicesOf(tx: Tx): Promise<readonly AuditEntry[]> {
  return (await tx.get<AuditTable>(AUDIT_PATH))?.devices ?? []
}

/** `file` and `file/` are one device. */
function tablePath(path: string): string {
  if (path === '') throw new Failure('unsupported_path', undefined, { wrapped: true })
  return `${canonicalInput(path).replace(/\/$/, '')}/`
}

function listEndpoint(): Endpoint {
  return endpoint('audit', {
    help: 'The audit devices.',
    access: 'sudo',
    injected: true,
    fields: {},
    async read(call) {
      const shown: Record<string, unknown> = {}
      for (const { path, type, description, options, local } of await devicesOf(
        txOf(call as never),
      )) {
        shown[path] = { type, path, description, options, local }
      }
      // No device is an answer: an empty object, where nothing at all would be null.
      return Object.keys(shown).length > 0 ? shown : new JsonText('{}')
    },
  })
}

function deviceEndpoint(core: Core, allowed: AuditOptions): Endpoint {
  return endpoint('audit/:path*', {
    help: 'Adds or removes an audit device.',
    access: 'sudo',
    injected: true,
    fields: {
      path: t.rest({ help: 'The name of the device.' }),
      type: t.string({ help: 'Its type, e.g. "file".', default: '', clear: true }),
      description: t.string({ help: 'For people.', default: '', clear: true }),
      options: t.pairs({ help: 'As its type wants them; file: file_path, mode.', default: {} }),
      local: t.bool({ help: 'Kept for what it is in Vault; no effect.', default: false }),
    },
    async write(call) {
      const tx = txOf(call as never)
      const { type, description, local } = call.data
      const path = tablePath(call.data.path)
      const devices = await devicesOf(tx)
      if (devices.some((known) => overlaps(known.path, path))) refuse('path already in use')
      const deviceType = core.audit.types.get(type)
      if (!deviceType) refuse(`unknown backend type: ${JSON.stringify(type)}`)
      const options = { ...call.data.options }
      checkOptions(options, allowed)
      const chain = core.audit.newChain(tx.keyring, options['prefix'])
      await putCheckpoint(tx, path, await tryOut(deviceType.open(options), chain, call))
      const entry = { path, type, description, options, local, salt: uuid(call.random) }
      tx.put(AUDIT_PATH, { devices: [...devices, entry] } satisfies AuditTable)
      turnOf(call as never).afterCommit.push(() => follow(core))
      return undefined
    },
    async delete(call) {
      const tx = txOf(call as never)
      const path = tablePath(call.data.path)
      const devices = await devicesOf(tx)
      const left = devices.filter((known) => known.path !== path)
      if (left.length === devices.length) return undefined
      tx.put(AUDIT_PATH, { devices: left } satisfies AuditTable)
      turnOf(call as never).afterCommit.push(() => follow(core))
      return undefined
    },
  })
}

const overlaps = (a: string, b: string) => a.startsWith(b) || b.startsWith(a)

/** From here on this process writes to the devices of the table: the answer to this request too. */
async function follow(core: Core): Promise<void> {
  const tx = await core.begin(false)
  if (tx) await core.audit.follow(tx)
}

function checkOptions(options: Record<string, string>, { auditDirectory }: AuditOptions): void {
  if (isOn(options['log_raw'])) {
    refuse("log_raw cannot be set through the API; set it in the server's configuration file")
  }
  if (options['prefix']) {
    refuse("prefix cannot be set through the API; set it in the server's configuration file")
  }
  const mode = options['mode']
  if (mode !== undefined && /[1357]/.test(mode)) {
    refuse('mode must not make the file executable; 0600 is the default')
  }
  // Both spellings: what one of them may not name, the other may not either.
  for (const name of ['file_path', 'path']) {
    const file = options[name]
    if (!file || file === 'stdout' || file === 'discard') continue
    if (resolve(file) !== file) refuse(`${name} must be an absolute path without relative segments`)
    if (auditDirectory && !file.startsWith(`${resolve(auditDirectory)}/`)) {
      refuse(`${name} must lie in the directory that the server's configuration names for audit`)
    }
  }
}

/** What is not a plain "no" counts as yes: a guard does not guess. */
function isOn(value: string | undefined): boolean {
  if (value === undefined) return false
  try {
    return parseBool(value)
  } catch {
    return true
  }
}

function witnessEndpoint(): Endpoint {
  return endpoint('coffer/audit/witness', {
    help: 'What an audit log is verified against.',
    description:
      'The public key of the checkpoints (Ed25519), and the newest checkpoint of each chain. Kept ' +
      'elsewhere, it shows later whether the end of a log, or all of it, is missing.',
    access: 'sudo',
    fields: {},
    async read(call) {
      const tx = txOf(call as never)
      const { publicKey } = auditSigner(tx.keyring)
      return {
        key: keyId(publicKey),
        public_key: publicKey.toString('base64'),
        checkpoints: await checkpoints(tx),
      }
    },
  })
}

function hashEndpoint(core: Core): Endpoint {
  return endpoint('audit-hash/:path*', {
    help: 'The hash of a value as it stands in the lines of a device.',
    injected: true,
    fields: {
      path: t.rest({ help: 'The name of the device.' }),
      input: t.string({ help: 'The value.', sensitive: true }),
    },
    write({ data }) {
      if (!data.input) refuse('the "input" parameter is empty')
      const path = tablePath(data.path)
      const device = core.audit.device(path)
      if (!device) refuse(`unknown audit backend ${JSON.stringify(path)}`)
      return { hash: device.hasher.hash(data.input) }
    },
  })
}

/**
 * A device that opens may still take nothing (a full disk), and an only device that takes nothing
 * stops the server. So it is written to before it is entered, as Vault does.
 */
async function tryOut(
  device: AuditDevice,
  chain: AuditChain,
  call: { now: number; requestId: string },
): Promise<Checkpoint> {
  const id = JSON.stringify(call.requestId)
  const begin = chain.checkpoint(call.now).line
  const test = `{"time":"${rfc3339(call.now)}","type":"request","request":{"id":${id},"operation":"test"}`
  const middle = chain.link([test])
  const { line: end, checkpoint } = chain.checkpoint(call.now)
  try {
    await device.write(begin + middle + end)
    return checkpoint
  } catch (error) {
    return refuse(
      `sanity check failed; the device takes no entries: ${(error as NodeJS.ErrnoException).code ?? 'unknown trouble'}`,
    )
  } finally {
    device.close()
  }
}
