/** Leases (lookup, renew, revoke), and `unwrap`, which opens what a wrapping token holds. */
import { CliError } from '../cli-error.ts'
import { defineCommand, flag } from '../command.ts'
import { showSecret } from '../output/secret.ts'
import { trimSlashes } from '../paths.ts'

const leaseId = { name: 'lease-id', help: 'Identifier of the lease.' } as const

const lookup = defineCommand({
  path: ['lease', 'lookup'],
  summary: 'Shows what is known of a lease',
  examples: [{ does: 'How long it lives', line: 'coffer lease lookup database/creds/app/2f6a…' }],
  args: [leaseId],
  async run(at) {
    const id = at.args[0]!.trim()
    const doing = `error looking up lease id ${id}`
    const ask = { method: 'PUT', path: 'sys/leases/lookup', body: { lease_id: id }, doing } as const
    const secret = await at.api.secret(ask)
    if (secret === undefined) throw new CliError(`No lease found with id ${id}`, { exit: 2 })
    showSecret(at, secret)
  },
})

const renew = defineCommand({
  path: ['lease', 'renew'],
  summary: 'Makes a lease live longer',
  examples: [
    { does: 'By its usual time', line: 'coffer lease renew database/creds/app/2f6a…' },
    { does: 'By one hour', line: 'coffer lease renew -increment=1h database/creds/app/2f6a…' },
  ],
  args: [leaseId],
  flags: { increment: flag.duration('For how long from now. The server may grant less.') },
  async run(at) {
    const id = at.args[0]!.trim()
    const increment = Math.max(0, Math.floor(at.flags.increment ?? 0))
    const doing = `Error renewing lease ${id}`
    const body = { lease_id: id, increment }
    const secret = await at.api.secret({ method: 'PUT', path: 'sys/leases/renew', body, doing })
    if (secret !== undefined) showSecret(at, secret)
  },
})

const revoke = defineCommand({
  path: ['lease', 'revoke'],
  summary: 'Ends leases now',
  help:
    'Revokes a lease: the secret under it stops working. With -prefix, every lease below a path. ' +
    'With -force as well, leases are forgotten although the engine could not revoke them.',
  examples: [
    { does: 'One lease', line: 'coffer lease revoke database/creds/app/2f6a…' },
    { does: 'Every lease of a role', line: 'coffer lease revoke -prefix database/creds/app' },
  ],
  args: [{ ...leaseId, help: 'Identifier of the lease, or with -prefix the path above leases.' }],
  flags: {
    prefix: flag.bool('Revoke every lease below the path.'),
    force: flag.bool('Forget leases that cannot be revoked. Needs -prefix.', { alias: ['f'] }),
    sync: flag.bool('Wait until the leases are revoked.'),
  },
  async run({ args, flags, api, out }) {
    const id = trimSlashes(args[0]!)
    if (flags.force && !flags.prefix) {
      throw new CliError('Specifying -force requires also specifying -prefix')
    }
    if (flags.force) {
      out.warn(
        'Warning! Force-removing leases can cause the server and the systems behind its engines to disagree!',
      )
      const path = `sys/leases/revoke-force/${id}`
      await api.call({
        method: 'PUT',
        path,
        doing: `Error force revoking leases with prefix ${id}`,
      })
      out.line(`Success! Force revoked any leases with prefix: ${id}`)
      return
    }
    const { sync } = flags
    if (flags.prefix) {
      const path = `sys/leases/revoke-prefix/${id}`
      const doing = `Error revoking leases with prefix ${id}`
      await api.call({ method: 'PUT', path, body: { sync }, doing })
      const done = `Success! Revoked any leases with prefix: ${id}`
      out.line(sync ? done : 'All revocation operations queued successfully!')
      return
    }
    const doing = `Error revoking lease ${id}`
    await api.call({
      method: 'PUT',
      path: 'sys/leases/revoke',
      body: { lease_id: id, sync },
      doing,
    })
    out.line(
      sync ? `Success! Revoked lease: ${id}` : 'All revocation operations queued successfully!',
    )
  },
})

const unwrap = defineCommand({
  path: ['unwrap'],
  summary: 'Opens a wrapping token, once',
  help:
    'Prints what a wrapping token holds. A second try fails; if the first one fails, ' +
    'somebody else has opened it. Without a token, the token in use is taken for the wrapping one.',
  examples: [
    { does: 'Open it', line: 'coffer unwrap hvs.…' },
    { does: 'Only one field', line: 'coffer unwrap -field=secret_id hvs.…' },
  ],
  args: [{ name: 'token', help: 'The wrapping token.', optional: true }],
  async run(at) {
    const token = at.args[0]?.trim()
    const own = at.settings.token
    const doing = 'Error unwrapping'
    const path = 'sys/wrapping/unwrap'
    // A wrapping token may open itself; with another token in use it goes into the body.
    const body = token === undefined || own === undefined || token === own ? {} : { token }
    const auth = own === undefined && token !== undefined ? { token } : {}
    const secret = await at.api.secret({ method: 'PUT', path, body, doing, ...auth })
    if (secret === undefined) throw new CliError('Could not find wrapped response', { exit: 2 })
    showSecret(at, secret)
  },
})

export const commands = [lookup, renew, revoke, unwrap]
