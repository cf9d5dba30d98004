/** `audit`: where the server writes down who asked for what. */
import { isObject, type JsonObject } from '../../lib/json.ts'
import { CliError } from '../cli-error.ts'
import { defineCommand, flag } from '../command.ts'
import { goValue } from '../go-text.ts'
import { readTextPairs } from '../pairs.ts'
import { trimSlashes, withSlash } from '../paths.ts'
import { command as verify } from './audit-verify.ts'
import { cell, showMounts } from './mounts.ts'

const list = defineCommand({
  path: ['audit', 'list'],
  summary: 'Lists the audit devices',
  examples: [{ does: 'With their options', line: 'coffer audit list -detailed' }],
  exits: { 2: 'there are none, or the server refused' },
  async run(at) {
    const doing = 'Error listing audits'
    const secret = await at.api.secret({ method: 'GET', path: 'sys/audit', doing, strict: true })
    const devices = secret?.data ?? {}
    if (at.out.tabular && Object.keys(devices).length === 0) {
      at.out.line('No audit devices are enabled.')
      return 2
    }
    const plain = (path: string, device: JsonObject) => [
      path,
      cell(device, 'type'),
      cell(device, 'description'),
    ]
    const heads = ['Path', 'Type', 'Description']
    if (!at.settings.detailed) showMounts(at, devices, { heads, row: plain })
    else {
      showMounts(at, devices, {
        heads: [...heads, 'Replication', 'Options'],
        row: (path, device) => {
          const options = isObject(device['options']) ? device['options'] : {}
          const pairs = Object.entries(options).map(([key, value]) => `${key}=${goValue(value)}`)
          const where = device['local'] === true ? 'local' : 'replicated'
          return [...plain(path, device), where, pairs.join(' ')]
        },
      })
    }
    return 0
  },
})

const enable = defineCommand({
  path: ['audit', 'enable'],
  summary: 'Adds an audit device',
  help: 'Adds an audit device. From then on, a request that cannot be written down is refused.',
  examples: [
    { does: 'To a file', line: 'coffer audit enable file file_path=/var/log/coffer-audit.log' },
    { does: 'A second one', line: 'coffer audit enable -path=ops socket address=127.0.0.1:9090' },
  ],
  args: [
    { name: 'type', help: 'Type of the device: file, socket or syslog.' },
    { name: 'key=value', help: 'Options of the device.', optional: true, many: true },
  ],
  flags: {
    path: flag.string('Its name. Default: its type.'),
    description: flag.string('What it is for, for people.'),
    local: flag.bool('Keep it out of replication.'),
  },
  async run(at) {
    const [word, ...words] = at.args
    const type = word!.trim()
    const { interactive } = at.settings
    const options = await readTextPairs(words, { io: at.io, interactive })
    const mount = withSlash(at.flags.path ?? type)
    const { description = '', local } = at.flags
    const body = { type, description, options, local }
    const path = `sys/audit/${trimSlashes(mount)}`
    await at.api.call({ method: 'PUT', path, body, doing: 'Error enabling audit device' })
    at.out.line(`Success! Enabled the ${type} audit device at: ${mount}`)
  },
})

const disable = defineCommand({
  path: ['audit', 'disable'],
  summary: 'Removes an audit device',
  examples: [{ does: 'The one at file/', line: 'coffer audit disable file' }],
  args: [{ name: 'path', help: 'Path of the device.' }],
  async run({ args, api, out }) {
    const mount = withSlash(args[0]!)
    if (mount === '/') throw new CliError('the path of the device is empty')
    const path = `sys/audit/${trimSlashes(mount)}`
    await api.call({ method: 'DELETE', path, doing: 'Error disabling audit device' })
    out.line(`Success! Disabled audit device (if it was enabled) at: ${mount}`)
  },
})

export const commands = [list, enable, disable, verify]
