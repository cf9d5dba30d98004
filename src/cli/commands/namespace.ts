/** `namespace`: servers within the server, each with its own mounts, policies and tokens. */
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { showKeys, showNone, showSecret } from '../output/secret.ts'
import { trimSlashes } from '../paths.ts'

const pathArg = { name: 'path', help: 'Path of the namespace, below the one in use.' } as const
const noteFlag = flag.map('A note of your own, as key=value. May be given many times.')

const NONE = { 2: 'there are none, or the server refused' }

const list = defineCommand({
  path: ['namespace', 'list'],
  summary: 'Lists the namespaces directly below this one',
  examples: [
    { does: 'Their names', line: 'coffer namespace list' },
    { does: 'With what is known of each', line: 'coffer namespace list -detailed' },
  ],
  exits: NONE,
  run: (at) => show(at, 'LIST'),
})

const scan = defineCommand({
  path: ['namespace', 'scan'],
  summary: 'Lists the namespaces below this one, and those below them',
  examples: [{ does: 'All of them', line: 'coffer namespace scan' }],
  exits: NONE,
  run: (at) => show(at, 'SCAN'),
})

async function show(at: Pick<Context, 'api' | 'out' | 'settings'>, method: 'LIST' | 'SCAN') {
  const doing = 'Error listing namespaces'
  const secret = await at.api.secret({ method, path: 'sys/namespaces', doing, strict: true })
  if (secret === undefined) return showNone(at, 'No namespaces found')
  return showKeys(at, secret)
}

const create = defineCommand({
  path: ['namespace', 'create'],
  summary: 'Creates a namespace',
  examples: [
    { does: 'For a team', line: 'coffer namespace create -custom-metadata=owner=web web' },
  ],
  args: [pathArg],
  flags: { 'custom-metadata': noteFlag },
  async run(at) {
    const name = trimSlashes(at.args[0]!)
    const body = { custom_metadata: at.flags['custom-metadata'] }
    const path = `sys/namespaces/${name}`
    const doing = 'Error creating namespace'
    const secret = await at.api.secret({ method: 'PUT', path, body, doing })
    if (secret !== undefined) showSecret(at, secret)
  },
})

const patch = defineCommand({
  path: ['namespace', 'patch'],
  summary: 'Changes the notes of a namespace',
  examples: [
    { does: 'Another owner', line: 'coffer namespace patch -custom-metadata=owner=api web' },
  ],
  args: [pathArg],
  flags: {
    'custom-metadata': noteFlag,
    'remove-custom-metadata': flag.list('Note to remove. May be given many times.'),
  },
  async run(at) {
    const removed = at.flags['remove-custom-metadata'].map((name) => [name, null] as const)
    const notes = { ...at.flags['custom-metadata'], ...Object.fromEntries(removed) }
    const path = `sys/namespaces/${trimSlashes(at.args[0]!)}`
    const doing = 'Error patching namespace'
    const body = { custom_metadata: notes }
    const secret = await at.api.secret({ method: 'PATCH', path, body, doing })
    if (secret !== undefined) showSecret(at, secret)
  },
})

const lookup = defineCommand({
  path: ['namespace', 'lookup'],
  summary: 'Shows what is known of a namespace',
  examples: [{ does: 'One of them', line: 'coffer namespace lookup web' }],
  args: [pathArg],
  async run(at) {
    const name = trimSlashes(at.args[0]!)
    const doing = `Error looking up namespace ${name}`
    const secret = await at.api.secret({
      method: 'GET',
      path: `sys/namespaces/${name}`,
      doing,
      strict: true,
    })
    if (secret === undefined) throw new CliError(`Namespace not found: ${name}`, { exit: 2 })
    showSecret(at, secret)
  },
})

const remove = defineCommand({
  path: ['namespace', 'delete'],
  summary: 'Deletes a namespace and everything in it',
  examples: [{ does: 'One of them', line: 'coffer namespace delete web' }],
  args: [pathArg],
  async run(at) {
    const name = trimSlashes(at.args[0]!)
    const doing = 'Error deleting namespace'
    const secret = await at.api.secret({ method: 'DELETE', path: `sys/namespaces/${name}`, doing })
    if (secret !== undefined) showSecret(at, secret)
    if (at.out.tabular || secret === undefined)
      at.out.line(`Success! Namespace deleted at: ${name}/`)
  },
})

const lock = defineCommand({
  path: ['namespace', 'lock'],
  summary: 'Refuses every request to a namespace until it is unlocked',
  examples: [{ does: 'One of them', line: 'coffer namespace lock web' }],
  args: [{ ...pathArg, optional: true }],
  async run(at) {
    const name = trimSlashes(at.args[0] ?? '')
    const path =
      name === '' ? 'sys/namespaces/api-lock/lock' : `sys/namespaces/api-lock/lock/${name}`
    const doing = 'Error locking namespace'
    const secret = await at.api.secret({ method: 'PUT', path, doing })
    if (secret !== undefined) showSecret(at, secret)
  },
})

const unlock = defineCommand({
  path: ['namespace', 'unlock'],
  summary: 'Ends the lock of a namespace',
  examples: [
    { does: 'With the key that lock printed', line: 'coffer namespace unlock -unlock-key=… web' },
  ],
  args: [{ ...pathArg, optional: true }],
  flags: { 'unlock-key': flag.string('The key that `namespace lock` printed.') },
  async run(at) {
    const name = trimSlashes(at.args[0] ?? '')
    const path =
      name === '' ? 'sys/namespaces/api-lock/unlock' : `sys/namespaces/api-lock/unlock/${name}`
    const key = at.flags['unlock-key']
    const body = key === undefined ? {} : { unlock_key: key }
    await at.api.call({ method: 'PUT', path, body, doing: 'Error unlocking namespace' })
    at.out.line('Success! Namespace unlocked')
  },
})

export const commands = [list, scan, create, patch, lookup, remove, lock, unlock]
