/**
 * A new root token for those who hold enough shares and nothing else. It is created in the
 * transaction of the last share, and leaves only as its exclusive or with a one-time password, so
 * that whoever gave the last share cannot use it alone. Who may do what: keys-attempt.ts.
 */
import { type Call } from '../../kit/call.ts'
import { refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { bare, type Reply } from '../../kit/reply.ts'
import { base62 } from '../../lib/base62.ts'
import { t } from '../../schema/field.ts'
import { putRootToken } from '../bootstrap.ts'
import { type Core } from '../core.ts'
import { turnOf, txOf } from '../turn.ts'
import { type Attempt, type Slot, slot } from './ceremonies.ts'
import {
  checkCancel,
  type Given,
  newAttempt,
  refuseAndKeep,
  sharesRequired,
  takeShare,
} from './keys-attempt.ts'

type RootAttempt = Attempt & { readonly otp: string }

/** `hvs.` and 24 characters; the password is as long, so nothing of the token shows through. */
const TOKEN_CHARS = 28

const WORDS = {
  none: 'no root generation in progress',
  operation: 'root generation',
  duplicate: 'given key has already been provided during this generation operation',
}

export function generateRootEndpoints(core: Core): Endpoint[] {
  const place = slot<RootAttempt>('generate-root')
  return [
    attemptEndpoint(core, place, 'generate-root/attempt'),
    attemptEndpoint(core, place, 'generate-root'),
    updateEndpoint(core, place),
    decodeEndpoint(),
  ]
}

type Told = { complete?: boolean; encoded?: string; otp?: string; progress?: number }

async function status(core: Core, attempt: Attempt | undefined, told: Told = {}): Promise<Reply> {
  const { complete = false, encoded = '', otp = '' } = told
  return bare({
    nonce: attempt?.nonce ?? '',
    started: attempt !== undefined,
    progress: told.progress ?? attempt?.shares.length ?? 0,
    required: await sharesRequired(core),
    complete,
    encoded_token: encoded,
    encoded_root_token: encoded,
    pgp_fingerprint: '',
    otp,
    otp_length: TOKEN_CHARS,
  })
}

function attemptEndpoint(core: Core, place: Slot<RootAttempt>, path: string): Endpoint {
  return endpoint(path, {
    help: 'Starts, shows or cancels the generation of a root token.',
    access: 'public',
    fields: {
      otp: t.string({ help: 'A one-time password of 28 characters.', sensitive: true }),
      pgp_key: t.string({ help: 'Not supported by this build.' }),
      nonce: t.string({ help: 'Of the attempt that is to be cancelled.', clear: true }),
    },
    read: async (call) => status(core, await place.current(call as never)),
    async write(call) {
      const { data } = call
      if (data.pgp_key) refuse('pgp_key: encrypting with PGP is not supported by this build')
      if (data.otp && Buffer.byteLength(data.otp) !== TOKEN_CHARS) {
        refuse('OTP string has incorrect length')
      }
      if (await place.current(call as never)) refuse('root generation already in progress')
      const otp = data.otp || base62(TOKEN_CHARS, core.random)
      const attempt: RootAttempt = { ...newAttempt(core), otp }
      place.put(call as never, attempt)
      // One that the caller brought is not told to anyone again.
      return status(core, attempt, data.otp ? {} : { otp })
    },
    async delete(call) {
      const attempt = await place.current(call as never)
      if (!attempt) return undefined
      await checkCancel(core, call, attempt)
      place.drop(txOf(call as never))
      return undefined
    },
  })
}

function updateEndpoint(core: Core, place: Slot<RootAttempt>): Endpoint {
  return endpoint('generate-root/update', {
    help: 'Takes one unseal or recovery key; gives the encoded root token when there are enough.',
    access: 'public',
    fields: {
      key: t.string({ help: 'One key, in hex or base64.', sensitive: true }),
      nonce: t.string({ help: 'Of the attempt.', clear: true }),
    },
    async write(call: Call<Given>) {
      const plain = call as never
      const required = await sharesRequired(core)
      const present = await place.current(plain)
      const { attempt, enough } = takeShare(present, call, { words: WORDS, required })
      place.put(plain, attempt)
      if (!enough) return status(core, attempt)
      if (!(await core.keeper.proves(enough))) {
        place.put(plain, { ...attempt, shares: [] })
        refuseAndKeep(
          plain,
          'root generation failed: the keys do not fit; all of them must be given again',
        )
      }
      return finish(core, call, { attempt, place })
    },
  })
}

async function finish(
  core: Core,
  call: Call<Given>,
  at: { attempt: RootAttempt; place: Slot<RootAttempt> },
): Promise<Reply> {
  const tx = txOf(call as never)
  const token = putRootToken(core, tx)
  const turn = turnOf(call as never)
  const entry = await core.tokens.find(tx, token, call.now)
  if (entry) turn.made.tokens.push(entry)
  const reply = await status(core, at.attempt, {
    complete: true,
    encoded: encode(token, at.attempt.otp),
  })
  at.place.drop(tx)
  return reply
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!))
}

/** Standard base64 without padding. */
function encode(token: string, otp: string): string {
  return xor(Buffer.from(token), Buffer.from(otp)).toString('base64').replace(/=+$/, '')
}

function decodeEndpoint(): Endpoint {
  return endpoint('decode-token', {
    help: 'The root token, from its encoded form and the one-time password.',
    access: 'public',
    fields: {
      encoded_token: t.string({ help: 'What the last key holder was given.', sensitive: true }),
      otp: t.string({ help: 'The one-time password.', sensitive: true }),
    },
    write({ data }) {
      if (!data.encoded_token) refuse('missing encoded token')
      if (!data.otp) refuse('missing otp')
      const encoded = Buffer.from(data.encoded_token, 'base64')
      const otp = Buffer.from(data.otp)
      if (encoded.length !== otp.length) refuse('the encoded token and the otp differ in length')
      return { token: xor(encoded, otp).toString() }
    },
  })
}
