/** `operator unseal`, `seal` and `step-down`: the doors of a server. */
import { CliError } from '../../cli-error.ts'
import { defineCommand, flag } from '../../command.ts'
import { keyFrom } from '../../prompt.ts'
import { showSealStatus } from '../status.ts'

export const unseal = defineCommand({
  path: ['operator', 'unseal'],
  summary: 'Gives the server one of its unseal keys',
  help:
    'Gives the server one unseal key; when enough different ones are there, it unseals. Without ' +
    'an argument the key is asked for and not shown, which keeps it out of the shell history.',
  examples: [
    { does: 'Type the key unseen', line: 'coffer operator unseal' },
    { does: 'From a file', line: 'coffer operator unseal - < key.txt' },
    { does: 'Forget the keys given so far', line: 'coffer operator unseal -reset' },
  ],
  args: [{ name: 'key', help: 'An unseal key; - reads it from standard input.', optional: true }],
  flags: {
    reset: flag.bool('Forget the keys that were given so far.'),
    migrate: flag.bool('The key is for moving to another seal.'),
  },
  async run(at) {
    const { reset, migrate } = at.flags
    const doing = reset ? 'Error resetting unseal process' : 'Error unsealing'
    const key = reset ? '' : await keyFrom(at, at.args[0], 'Unseal Key')
    if (!reset && key === '') {
      throw new CliError('Refusing to unseal with an empty key', {
        hint: `give it as an argument, or pipe it: ${at.program} operator unseal -`,
      })
    }
    const body = reset ? { reset } : { key, migrate }
    const status = await at.api.bare({
      method: 'PUT',
      path: 'sys/unseal',
      body,
      doing,
      server: true,
    })
    await showSealStatus(at, status)
  },
})

export const seal = defineCommand({
  path: ['operator', 'seal'],
  summary: 'Seals the server: nothing can be read until it is unsealed',
  help: 'Makes the server forget its root key. Every request fails until enough unseal keys are given.',
  examples: [{ does: 'In an emergency', line: 'coffer operator seal' }],
  async run({ api, out }) {
    await api.call({ method: 'PUT', path: 'sys/seal', doing: 'Error sealing' })
    out.line('Success! Vault is sealed.')
  },
})

export const stepDown = defineCommand({
  path: ['operator', 'step-down'],
  summary: 'Asks the active node to let another one lead',
  help: 'Asks the active node to step down. Nodes of coffer are equal, so nothing needs to change.',
  examples: [{ does: 'Before maintenance', line: 'coffer operator step-down' }],
  async run({ api, out }) {
    await api.call({ method: 'PUT', path: 'sys/step-down', doing: 'Error stepping down' })
    out.line(`Success! Stepped down: ${api.address}`)
  },
})
