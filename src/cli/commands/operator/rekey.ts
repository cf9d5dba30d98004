/** `operator rekey`: new unseal keys from a quorum of the old ones. */
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { goValue } from '../../go-text.ts'
import { showField } from '../../output/secret.ts'
import { columns, table, wrap } from '../../output/table.ts'
import { keyFrom } from '../../prompt.ts'
import { NO_PGP } from './init.ts'

type At = Pick<Context, 'api' | 'out' | 'settings' | 'io' | 'program'>
type Target = { readonly base: string; readonly verify: boolean; readonly recovery: boolean }

export const rekey = defineCommand({
  path: ['operator', 'rekey'],
  summary: 'Makes new unseal keys from a quorum of the old ones',
  help:
    'Starts with -init, which prints a nonce. Each holder of an old key then gives it; the last ' +
    'one gets the new keys. With -verify at the start, the new keys count only after enough of ' +
    'them were given back.',
  examples: [
    { does: 'Start', line: 'coffer operator rekey -init -key-shares=5 -key-threshold=3' },
    { does: 'Give an old key', line: 'coffer operator rekey' },
    { does: 'Give it from a script', line: 'coffer operator rekey -nonce=<nonce> - < key.txt' },
  ],
  args: [{ name: 'key', help: 'An old key; - reads it from standard input.', optional: true }],
  flags: {
    init: flag.bool('Start.'),
    cancel: flag.bool('Stop, and forget the keys that were given.'),
    status: flag.bool('Show how far it is.'),
    'key-shares': flag.int('How many new keys to make.', { alias: ['n'], default: 5 }),
    'key-threshold': flag.int('How many of them unseal.', { alias: ['t'], default: 3 }),
    nonce: flag.string('The nonce that -init printed. Needed when the key is not typed.'),
    target: flag.string('Which keys: barrier or recovery.', { default: 'barrier' }),
    verify: flag.bool('With -init: verify the new keys. Else: the command is about that step.'),
    backup: flag.bool('Keep the encrypted new keys in the server. Needs -pgp-keys.'),
    'backup-retrieve': flag.bool('Print the keys that were kept.'),
    'backup-delete': flag.bool('Delete the keys that were kept.'),
    'pgp-keys': flag.string('PGP keys to encrypt the new keys with.', { refuse: NO_PGP }),
  },
  async run(at) {
    const { flags } = at
    const target = targetOf(flags.target, flags.verify)
    if (flags['backup-delete'] || flags['backup-retrieve']) {
      return backup(at, target, flags['backup-delete'])
    }
    if (flags.cancel) {
      const path = `${target.base}/${target.verify ? 'verify' : 'init'}`
      await at.api.call({ method: 'DELETE', path, doing: 'Error canceling rekey' })
      return at.out.line('Success! Canceled rekeying (if it was started)')
    }
    if (flags.init) {
      const body = {
        secret_shares: flags['key-shares'],
        secret_threshold: flags['key-threshold'],
        backup: flags.backup,
        require_verification: flags.verify,
      }
      return start(at, target, body)
    }
    if (flags.status) return showStatus(at, await statusOf(at, target))
    await provide(at, target, { key: at.args[0], nonce: flags.nonce })
  },
})

function targetOf(name: string, verify: boolean): Target {
  const which = name.trim().toLowerCase()
  if (which === 'barrier') return { base: 'sys/rekey', verify, recovery: false }
  if (which === 'recovery' || which === 'hsm') {
    return { base: 'sys/rekey-recovery-key', verify, recovery: true }
  }
  throw new CliError('Unknown target: it must be barrier or recovery')
}

async function start(at: At, target: Target, body: JsonObject): Promise<void> {
  const doing = 'Error initializing rekey'
  const path = `${target.base}/init`
  // Some servers answer with the status, others with nothing; then it is asked for.
  const started = await at.api.bare({ method: 'PUT', path, body, doing })
  if (at.out.tabular) {
    at.out.warn(
      wrap(
        'WARNING! The new keys are shown once, when the last old key was given. Be ready to keep them.',
      ),
    )
    at.out.warn('')
  }
  const shown =
    started['nonce'] === undefined ? await statusOf(at, { ...target, verify: false }) : started
  showStatus(at, shown)
}

function statusOf(at: At, { base, verify }: Target): Promise<JsonObject> {
  const path = `${base}/${verify ? 'verify' : 'init'}`
  return at.api.bare({ method: 'GET', path, doing: 'Error reading rekey status' })
}

async function provide(
  at: At,
  target: Target,
  given: { key: string | undefined; nonce: string | undefined },
): Promise<void> {
  const now = await statusOf(at, target)
  if (now['started'] !== true) {
    throw new CliError('No rekey is in progress.', {
      hint: `start one: ${at.program} operator rekey -init`,
    })
  }
  const typed = given.key === undefined || given.key === ''
  const nonce = typed ? goValue(now['nonce']) : given.nonce
  if (typed) at.out.ask(`Rekey operation nonce: ${nonce}\n`)
  const key = await keyFrom(at, given.key, target.recovery ? 'Recovery Key' : 'Unseal Key')
  if (nonce === undefined || nonce === '') {
    throw new CliError('Missing nonce value: specify it via the -nonce flag')
  }
  const path = `${target.base}/${target.verify ? 'verify' : 'update'}`
  const doing = 'Error posting unseal key'
  const done = await at.api.bare({ method: 'PUT', path, body: { key, nonce }, doing })
  if (done['complete'] !== true) return showStatus(at, await statusOf(at, target))
  if (!at.out.tabular) return at.out.structured(done)
  if (target.verify) {
    return at.out.line(
      wrap(
        'Rekey verification successful. The rekey operation is complete and the new keys are now active.',
      ),
    )
  }
  showKeys(at, target, { done, before: now })
}

function showKeys(
  at: At,
  target: Target,
  { done, before }: { done: JsonObject; before: JsonObject },
): void {
  const listed = done['keys_base64'] ?? done['keys']
  const keys = Array.isArray(listed) ? listed.map(String) : []
  const [shares, threshold] = [goValue(before['n']), goValue(before['t'])]
  const kind = target.recovery ? 'recovery' : 'unseal'
  at.out.line(keys.map((key, i) => `Key ${i + 1}: ${key}`).join('\n'))
  at.out.line(`\nOperation nonce: ${goValue(done['nonce'])}\n`)
  if (done['verification_required'] === true) {
    at.out.line(
      wrap(
        `Vault has created a new ${kind} key, split into ${shares} key shares and a key threshold of ` +
          `${threshold}. These will not be active until after verification is complete: give ` +
          `${threshold} of them with: ${at.program} operator rekey -verify`,
      ),
    )
    at.out.line(`\nVerification nonce: ${goValue(done['verification_nonce'])}`)
    return
  }
  at.out.line(
    wrap(
      `Vault ${kind} keys rekeyed with ${shares} key shares and a key threshold of ${threshold}. ` +
        'Please securely distribute the key shares printed above; the old ones no longer work.',
    ),
  )
}

function showStatus(at: At, state: JsonObject): void {
  const { field } = at.settings
  if (field !== undefined) return showField(at, state[field], field)
  if (!at.out.tabular) return at.out.structured(state)
  const rows = [
    ['Nonce', goValue(state['nonce'])],
    ['Started', goValue(state['started'])],
  ]
  if (state['started'] === true) {
    const needed = state['required'] ?? state['t']
    const what = state['required'] === undefined ? 'Verification' : 'Rekey'
    rows.push([`${what} Progress`, `${goValue(state['progress'])}/${goValue(needed)}`])
    rows.push(['New Shares', goValue(state['n'])], ['New Threshold', goValue(state['t'])])
    if (state['verification_required'] !== undefined) {
      rows.push(['Verification Required', goValue(state['verification_required'])])
    }
    const nonce = state['verification_nonce']
    if (nonce !== undefined && nonce !== '') rows.push(['Verification Nonce', goValue(nonce)])
  }
  at.out.line(table(['Key', 'Value'], rows))
}

async function backup(at: At, target: Target, remove: boolean): Promise<void> {
  const path = target.recovery ? 'sys/rekey/recovery-key-backup' : 'sys/rekey/backup'
  if (remove) {
    await at.api.call({ method: 'DELETE', path, doing: 'Error deleting backup' })
    return at.out.line('Success! Delete backup keys (if they existed)')
  }
  const doing = 'Error retrieving rekey stored keys'
  const kept = (await at.api.secret({ method: 'GET', path, doing }))?.data ?? {}
  if (!at.out.tabular) return at.out.structured(kept)
  const keys = isObject(kept['keys']) ? kept['keys'] : {}
  at.out.line(columns(Object.entries(keys).map(([print, key]) => [print, goValue(key)])))
}
