/** `operator generate-root`: a new root token from a quorum of unseal keys, when all are lost. */
import { randomInt } from 'node:crypto'
import { type JsonObject } from '../../../lib/json.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { goValue } from '../../go-text.ts'
import { readAll } from '../../io.ts'
import { columns, wrap } from '../../output/table.ts'
import { showField } from '../../output/secret.ts'
import { keyFrom } from '../../prompt.ts'
import { NO_PGP } from './init.ts'

const ATTEMPT = 'sys/generate-root/attempt'
const STATUS_DOING = 'Error getting root generation status'
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

type At = Pick<Context, 'api' | 'out' | 'settings' | 'io' | 'program'>

export const generateRoot = defineCommand({
  path: ['operator', 'generate-root'],
  summary: 'Makes a new root token from a quorum of unseal keys',
  help:
    'Starts with -init, which prints a one-time password (OTP) and a nonce. Each key holder then ' +
    'gives a key. The last one gets the new token, encoded; -decode with the OTP shows it.',
  examples: [
    { does: 'Start', line: 'coffer operator generate-root -init' },
    { does: 'Give a key', line: 'coffer operator generate-root' },
    { does: 'Read the token', line: 'coffer operator generate-root -decode=<encoded> -otp=<otp>' },
  ],
  args: [{ name: 'key', help: 'An unseal key; - reads it from standard input.', optional: true }],
  flags: {
    init: flag.bool('Start.'),
    cancel: flag.bool('Stop, and forget the keys that were given.'),
    status: flag.bool('Show how far it is.'),
    decode: flag.string('Show the token in this encoded value; - reads it from standard input.'),
    'generate-otp': flag.bool('Print a one-time password for -init -otp.'),
    otp: flag.string('The one-time password, for -init or -decode.'),
    nonce: flag.string('The nonce that -init printed. Needed when the key is not typed.'),
    'pgp-key': flag.string('PGP key to encrypt the token with.', { refuse: NO_PGP }),
    'recovery-token': flag.bool('For a server in recovery mode.', {
      refuse: 'this server has no recovery mode',
      hidden: true,
    }),
  },
  async run(at) {
    const { flags } = at
    if (flags['generate-otp']) return showOtp(at)
    if (flags.decode !== undefined && flags.decode !== '')
      return decode(at, flags.decode, flags.otp)
    if (flags.cancel) {
      const doing = 'Error canceling root token generation'
      await at.api.call({ method: 'DELETE', path: ATTEMPT, doing })
      return at.out.line('Success! Root token generation canceled (if it was started)')
    }
    if (flags.init) {
      const body = flags.otp === undefined ? {} : { otp: flags.otp }
      const doing = 'Error initializing root generation'
      return show(at, await at.api.bare({ method: 'PUT', path: ATTEMPT, body, doing }))
    }
    if (flags.status) return show(at, await status(at))
    await provide(at, { key: at.args[0], nonce: flags.nonce })
  },
})

function status(at: At): Promise<JsonObject> {
  return at.api.bare({ method: 'GET', path: ATTEMPT, doing: STATUS_DOING })
}

async function showOtp(at: At): Promise<void> {
  const length = Number((await status(at))['otp_length'] ?? 28)
  const otp = Array.from({ length }, () => BASE62[randomInt(BASE62.length)]).join('')
  if (at.out.tabular) at.out.line(otp)
  else at.out.structured({ otp, otp_length: length })
}

async function decode(at: At, given: string, otp: string | undefined): Promise<void> {
  if (otp === undefined || otp === '') throw new CliError('Missing otp: use -otp to supply it')
  const encoded = given === '-' ? (await readAll(at.io.stdin)).trim() : given
  if (encoded === '') throw new CliError('Missing encoded value: pass it via standard input')
  const token = decodeToken(encoded, otp)
  if (at.out.tabular) at.out.line(token)
  else at.out.structured({ token })
}

/** The token is XORed with the one-time password, then in base64 without padding. */
export function decodeToken(encoded: string, otp: string): string {
  const bytes = Buffer.from(encoded, 'base64')
  const pad = Buffer.from(otp)
  if (bytes.length !== pad.length) {
    throw new CliError('Error decoding root token: the OTP and the encoded token differ in length')
  }
  return Buffer.from(bytes.map((byte, i) => byte ^ pad[i]!)).toString()
}

async function provide(
  at: At,
  given: { key: string | undefined; nonce: string | undefined },
): Promise<void> {
  const now = await status(at)
  if (now['started'] !== true) {
    throw new CliError('No root generation is in progress.', {
      hint: `start one: ${at.program} operator generate-root -init`,
    })
  }
  const typed = given.key === undefined || given.key === ''
  // Somebody at the terminal sees the nonce; a script must show that it knows which attempt it is.
  const nonce = typed ? goValue(now['nonce']) : given.nonce
  if (typed) at.out.ask(`Operation nonce: ${nonce}\n`)
  const key = await keyFrom(at, given.key, 'Unseal Key')
  if (nonce === undefined || nonce === '') {
    throw new CliError('Missing nonce value: specify it via the -nonce flag')
  }
  const path = 'sys/generate-root/update'
  const doing = 'Error posting unseal key'
  show(at, await at.api.bare({ method: 'PUT', path, body: { key, nonce }, doing }))
}

function show(at: At, state: JsonObject): void {
  const { field } = at.settings
  if (field !== undefined) return showField(at, state[field], field)
  if (!at.out.tabular) return at.out.structured(state)
  const rows = [
    ['Nonce', goValue(state['nonce'])],
    ['Started', goValue(state['started'])],
    ['Progress', `${goValue(state['progress'])}/${goValue(state['required'])}`],
    ['Complete', goValue(state['complete'])],
  ]
  const add = (name: string, value: unknown) => {
    if (value !== undefined && value !== '' && value !== 0) rows.push([name, goValue(value)])
  }
  add('PGP Fingerprint', state['pgp_fingerprint'])
  add('Encoded Token', state['encoded_token'] ?? state['encoded_root_token'])
  const { otp } = state
  if (typeof otp === 'string' && otp !== '') {
    at.out.warn(
      wrap(
        'A One-Time-Password has been generated for you and is shown in the OTP field. It is needed ' +
          'to decode the new root token, and is shown only now.',
      ),
    )
    add('OTP', otp)
  }
  add('OTP Length', state['otp_length'])
  at.out.line(columns(rows))
}
