/** init, seal, unseal and what probes ask. All of it answers while the server is sealed. */
import { refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { bare } from '../../kit/reply.ts'
import { KEY_BYTES } from '../../crypto/aead.ts'
import { t } from '../../schema/field.ts'
import { firstEntries } from '../bootstrap.ts'
import { type Core } from '../core.ts'
import { turnOf } from '../turn.ts'
import { dropCeremonies } from './ceremonies.ts'

export function sealEndpoints(core: Core): Endpoint[] {
  return [initEndpoint(core), statusEndpoint(core), unsealEndpoint(core), sealEndpoint(core)]
}

/** The body of sys/seal-status and of every unseal answer. */
export async function sealStatus(core: Core): Promise<Record<string, unknown>> {
  const { keeper, settings, store } = core
  const config = await keeper.config()
  const recovery = config?.type === 'static' ? await keeper.recovery() : undefined
  const shares = recovery ?? config
  const type = config?.type ?? (keeper.opensItself ? 'static' : 'shamir')
  return {
    type,
    initialized: config !== undefined,
    sealed: keeper.space === undefined,
    t: shares?.threshold ?? 0,
    n: shares?.shares ?? 0,
    progress: keeper.progress.shares,
    nonce: keeper.progress.nonce,
    version: settings.version,
    build_date: settings.buildDate,
    migration: false,
    ...(keeper.space && {
      cluster_name: settings.clusterName,
      cluster_id: keeper.space.keyring.derive('cluster-id/v1').toString('hex').slice(0, 32),
    }),
    recovery_seal: type !== 'shamir',
    storage_type: store.type,
  }
}

const hexAndBase64 = (keys: readonly Uint8Array[]) => ({
  hex: keys.map((key) => Buffer.from(key).toString('hex')),
  base64: keys.map((key) => Buffer.from(key).toString('base64')),
})

function initEndpoint(core: Core): Endpoint {
  const { keeper } = core
  return endpoint('init', {
    help: 'Whether the server is initialized; initializes it.',
    access: 'public',
    whenSealed: true,
    fields: {
      secret_shares: t.int({ help: 'How many unseal keys to make.' }),
      secret_threshold: t.int({ help: 'How many of them unseal.' }),
      recovery_shares: t.int({
        help: 'The same for recovery keys, where the seal opens by itself.',
      }),
      recovery_threshold: t.int({ help: 'How many of them recover.' }),
      stored_shares: t.int({ help: 'Ignored.', deprecated: true }),
      pgp_keys: t.list({ help: 'Not supported by this build.' }),
      recovery_pgp_keys: t.list({ help: 'Not supported by this build.' }),
      root_token_pgp_key: t.string({ help: 'Not supported by this build.' }),
    },
    read: async () => bare({ initialized: (await keeper.config()) !== undefined }),
    async write({ data, given }) {
      if (await keeper.config()) refuse('Vault is already initialized')
      for (const name of ['pgp_keys', 'recovery_pgp_keys', 'root_token_pgp_key']) {
        if (given.has(name) && (data as Record<string, unknown>)[name]?.toString()) {
          refuse(`${name}: encrypting keys with PGP is not supported by this build`)
        }
      }
      const auto = keeper.opensItself
      if (auto && (data.secret_shares || data.secret_threshold)) {
        refuse('parameters secret_shares,secret_threshold not applicable to seal type static')
      }
      if (!auto && (data.recovery_shares || data.recovery_threshold)) {
        refuse('parameters recovery_shares,recovery_threshold not applicable to seal type shamir')
      }
      const shares = (auto ? data.recovery_shares : data.secret_shares) ?? (auto ? 5 : 0)
      const threshold = (auto ? data.recovery_threshold : data.secret_threshold) ?? (auto ? 3 : 0)
      const made = await keeper.initialize({ shares, threshold }, (tx) => firstEntries(core, tx))
      const { hex, base64 } = hexAndBase64(made.keys)
      return bare({
        keys: made.recovery ? [] : hex,
        keys_base64: made.recovery ? [] : base64,
        ...(made.recovery && { recovery_keys: hex, recovery_keys_base64: base64 }),
        root_token: made.rootToken,
      })
    },
  })
}

function statusEndpoint(core: Core): Endpoint {
  return endpoint('seal-status', {
    help: 'Whether the server is sealed, and how far unsealing has come.',
    access: 'public',
    whenSealed: true,
    unaudited: true,
    fields: {},
    read: async () => bare(await sealStatus(core)),
  })
}

/** Hex first, when it has the length of a key; else base64. */
export function parseKeyShare(text: string): Buffer {
  const lengths = [KEY_BYTES, KEY_BYTES + 1]
  if (/^[0-9a-fA-F]+$/.test(text) && lengths.includes(text.length / 2)) {
    return Buffer.from(text, 'hex')
  }
  const bytes = Buffer.from(text, 'base64')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || !lengths.includes(bytes.length)) {
    refuse("'key' must be a valid hex or base64 string")
  }
  return bytes
}

function unsealEndpoint(core: Core): Endpoint {
  const { keeper } = core
  return endpoint('unseal', {
    help: 'Takes one unseal key; opens the server when there are enough.',
    access: 'public',
    whenSealed: true,
    fields: {
      key: t.string({ help: 'One key, in hex or base64.', sensitive: true }),
      reset: t.bool({ help: 'Forget the keys given so far.', default: false }),
      migrate: t.bool({ help: 'Ignored: there is no seal to migrate from.', default: false }),
    },
    async write({ data }) {
      if (data.reset) {
        if (keeper.space) refuse('vault is unsealed')
        await keeper.forgetShares()
      } else if (data.key === undefined || data.key === '') {
        refuse("'key' must be specified in request body as JSON, or 'reset' set to true")
      } else {
        const share = parseKeyShare(data.key)
        if (!(await keeper.config())) refuse('Vault is not initialized')
        await keeper.offer(share)
      }
      return bare(await sealStatus(core))
    },
  })
}

function sealEndpoint(core: Core): Endpoint {
  return endpoint('seal', {
    help: 'Closes the server: it forgets its keys until it is unsealed again.',
    access: 'sudo',
    fields: {},
    write(call) {
      // After the answer has been audited: the devices need what sealing forgets.
      turnOf(call as never).atLast.push(async () => {
        await dropCeremonies(core)
        await core.keeper.seal()
      })
      return undefined
    },
  })
}
