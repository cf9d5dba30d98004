/** `operator init`: the one time the keys of a server are shown. */
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { goValue } from '../../go-text.ts'
import { wrap } from '../../output/table.ts'
import { showField } from '../../output/secret.ts'

export const NO_PGP = 'this program does not encrypt keys with PGP; share them over safe channels'
const SHARES = 5
const THRESHOLD = 3

type Numbers = { readonly shares: number; readonly threshold: number }

export const init = defineCommand({
  path: ['operator', 'init'],
  summary: 'Initialises a server and prints its keys, once',
  help:
    'Makes the root key of a new server, splits it into key shares of which some are enough to ' +
    'unseal, and prints them with the first root token. They are shown this once and kept nowhere.',
  examples: [
    { does: 'Five shares, three of them enough', line: 'coffer operator init' },
    { does: 'One key, for a test', line: 'coffer operator init -key-shares=1 -key-threshold=1' },
    { does: 'Is it initialised?', line: 'coffer operator init -status' },
  ],
  flags: {
    status: flag.bool('Only say whether the server is initialised.'),
    'key-shares': flag.int(`How many unseal keys to make. Default: ${SHARES}.`, { alias: ['n'] }),
    'key-threshold': flag.int(`How many of them unseal. Default: ${THRESHOLD}.`, { alias: ['t'] }),
    'recovery-shares': flag.int('How many recovery keys to make, where the server unseals itself.'),
    'recovery-threshold': flag.int('How many of the recovery keys are enough.'),
    'pgp-keys': flag.string('PGP keys to encrypt the unseal keys with.', { refuse: NO_PGP }),
    'recovery-pgp-keys': flag.string('PGP keys for the recovery keys.', { refuse: NO_PGP }),
    'root-token-pgp-key': flag.string('PGP key to encrypt the root token with.', {
      refuse: NO_PGP,
    }),
    'stored-shares': flag.int('Has no effect.', { hidden: true }),
  },
  exits: { 2: 'the server refused; with -status: not initialised' },
  async run(at) {
    if (at.flags.status) return showStatus(at)
    const doing = 'Error initializing'
    const seal = await at.api.bare({
      method: 'GET',
      path: 'sys/seal-status',
      doing,
      aside: true,
      server: true,
    })
    const auto = seal['recovery_seal'] === true
    const { flags } = at
    const keys: Numbers = {
      shares: flags['key-shares'] ?? (auto ? 0 : SHARES),
      threshold: flags['key-threshold'] ?? (auto ? 0 : THRESHOLD),
    }
    const recovery: Numbers = {
      shares: flags['recovery-shares'] ?? (auto ? SHARES : 0),
      threshold: flags['recovery-threshold'] ?? (auto ? THRESHOLD : 0),
    }
    const body = {
      secret_shares: keys.shares,
      secret_threshold: keys.threshold,
      ...(auto || recovery.shares > 0
        ? { recovery_shares: recovery.shares, recovery_threshold: recovery.threshold }
        : {}),
    }
    const made = await at.api.bare({
      method: 'PUT',
      path: 'sys/init',
      body,
      doing,
      server: true,
    })
    show(at, { made, keys, recovery })
    return 0
  },
})

async function showStatus(at: Context | Pick<Context, 'api' | 'out'>): Promise<number> {
  const doing = 'Error checking init status'
  let initialized: boolean
  try {
    const status = await at.api.bare({
      method: 'GET',
      path: 'sys/init',
      doing,
      server: true,
    })
    initialized = status['initialized'] === true
  } catch (error) {
    // 2 means "not initialised" here, and nothing else.
    if (error instanceof CliError) throw new CliError(error.message, { cause: error })
    throw error
  }
  if (!at.out.tabular) at.out.structured({ initialized })
  else at.out.line(initialized ? 'Vault is initialized' : 'Vault is not initialized')
  return initialized ? 0 : 2
}

type Made = { made: Record<string, unknown>; keys: Numbers; recovery: Numbers }
type At = Pick<Context, 'out' | 'settings' | 'program'>

function show(at: At, { made, keys, recovery }: Made): void {
  const list = (key: string) => (Array.isArray(made[key]) ? made[key].map(String) : [])
  const [hex, recoveryHex] = [list('keys'), list('recovery_keys')]
  const [base64, recoveryBase64] = [list('keys_base64'), list('recovery_keys_base64')]
  const structured = {
    unseal_keys_b64: base64,
    unseal_keys_hex: hex,
    unseal_shares: hex.length === 0 ? 1 : keys.shares,
    unseal_threshold: hex.length === 0 ? 1 : keys.threshold,
    recovery_keys_b64: recoveryBase64,
    recovery_keys_hex: recoveryHex,
    recovery_keys_shares: recovery.shares,
    recovery_keys_threshold: recovery.threshold,
    root_token: made['root_token'],
  }
  const { field } = at.settings
  if (field !== undefined) return showField(at, structured[field as keyof typeof structured], field)
  if (!at.out.tabular) return at.out.structured(structured)
  const lines = (base64.length > 0 ? base64 : hex).map((key, i) => `Unseal Key ${i + 1}: ${key}`)
  const more = recoveryBase64.length > 0 ? recoveryBase64 : recoveryHex
  lines.push(...more.map((key, i) => `Recovery Key ${i + 1}: ${key}`))
  at.out.line(`${lines.join('\n')}\n\nInitial Root Token: ${goValue(made['root_token'])}\n`)
  if (hex.length > 0) at.out.line(keepThem(at.program, keys))
  else at.out.line('Success! Vault is initialized')
  if (more.length > 0) {
    const { shares, threshold } = recovery
    at.out.line(
      `\n${wrap(`Recovery key initialized with ${shares} key shares and a key threshold of ${threshold}. Please securely distribute the key shares printed above.`)}`,
    )
  }
}

/** Vault's own sentence comes first, because scripts look for it. */
function keepThem(program: string, { shares, threshold }: Numbers): string {
  return [
    `Vault initialized with ${shares} key shares and a key threshold of ${threshold}. Please ` +
      'securely distribute the key shares printed above. They are shown only now: after a restart ' +
      `or a seal, ${threshold} of them are needed before any secret can be read.`,
    `Nobody can unseal this server, ever, with fewer than ${threshold} of them. While enough are at ` +
      `hand, new ones can be made: ${program} operator rekey -init`,
  ]
    .map((paragraph) => wrap(paragraph))
    .join('\n\n')
}
