/** `policy`: read, write, list, delete and format ACL policies. */
import { readFileSync, writeFileSync } from 'node:fs'
import { CliError, messageOf } from '../cli-error.ts'
import { type Context, defineCommand } from '../command.ts'
import { formatHcl } from '../hcl-format.ts'
import { readAll } from '../io.ts'
import { showField, showWarnings } from '../output/secret.ts'
import { whyUnreadable } from '../unreadable.ts'

const nameArg = { name: 'name', help: 'Name of the policy.' } as const
const nameOf = (word: string) => word.trim().toLowerCase()
const pathOf = (name: string) => `sys/policies/acl/${name}`

const list = defineCommand({
  path: ['policy', 'list'],
  summary: 'Lists the names of all policies',
  examples: [{ does: 'All of them', line: 'coffer policy list' }],
  async run(at) {
    const path = 'sys/policies/acl'
    const secret = await at.api.secret({
      method: 'LIST',
      path,
      doing: 'Error listing policies',
      strict: true,
    })
    const found = secret?.data?.['keys']
    const names = Array.isArray(found) ? found.map(String) : []
    if (!at.out.tabular) return at.out.structured(names)
    for (const name of names) at.out.line(name)
  },
})

const read = defineCommand({
  path: ['policy', 'read'],
  summary: 'Prints a policy',
  examples: [{ does: 'As it was written', line: 'coffer policy read app' }],
  args: [nameArg],
  exits: { 2: 'there is no such policy, or the server refused' },
  async run(at) {
    const name = nameOf(at.args[0]!)
    const doing = `Error reading policy named ${name}`
    const secret = await at.api.secret({ method: 'GET', path: pathOf(name), doing })
    const policy = secret?.data?.['policy'] ?? secret?.data?.['rules']
    if (typeof policy !== 'string') throw new CliError(`No policy named: ${name}`, { exit: 2 })
    if (at.settings.field !== undefined)
      return showField(at, secret?.data?.[at.settings.field], at.settings.field)
    if (at.out.tabular) at.out.line(policy.trim())
    else at.out.structured({ policy })
  },
})

const write = defineCommand({
  path: ['policy', 'write'],
  summary: 'Writes a policy from a file',
  examples: [
    { does: 'From a file', line: 'coffer policy write app app.hcl' },
    { does: 'From standard input', line: 'cat app.hcl | coffer policy write app -' },
  ],
  args: [nameArg, { name: 'file', help: 'File with the policy; - reads standard input.' }],
  async run(at) {
    const [word, file] = at.args
    const typed = word!.trim()
    const name = nameOf(typed)
    if (name !== typed) {
      at.out.warn(
        `Policy name was converted from "${typed}" to "${name}", as names are lower-case.`,
      )
    }
    const policy = await textOf(at, file!)
    const doing = 'Error uploading policy'
    const secret = await at.api.secret({
      method: 'PUT',
      path: pathOf(name),
      body: { policy },
      doing,
    })
    showWarnings(at, secret?.warnings ?? [])
    at.out.line(`Success! Uploaded policy: ${name}`)
  },
})

async function textOf(at: Pick<Context, 'io'>, file: string): Promise<string> {
  const text = file === '-' ? await readAll(at.io.stdin) : readPolicy(file)
  if (text.trim() !== '') return text
  throw new CliError('the policy is empty', {
    hint: 'a policy that allows nothing is a comment: # none',
  })
}

function readPolicy(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new CliError(`Error opening policy file: ${file}: ${whyUnreadable(cause)}`, {
      cause,
      exit: 2,
      hint: 'name a file with the policy in it',
    })
  }
}

const remove = defineCommand({
  path: ['policy', 'delete'],
  summary: 'Deletes a policy; tokens that have it lose its rights at once',
  examples: [{ does: 'One policy', line: 'coffer policy delete app' }],
  args: [nameArg],
  async run({ args, api, out }) {
    const name = nameOf(args[0]!)
    await api.call({ method: 'DELETE', path: pathOf(name), doing: `Error deleting ${name}` })
    out.line(`Success! Deleted policy: ${name}`)
  },
})

const fmt = defineCommand({
  path: ['policy', 'fmt'],
  summary: 'Formats the file of a policy in place',
  help: 'Brings a policy file into one form: two spaces, aligned equal signs. What it means stays.',
  examples: [{ does: 'Before a commit', line: 'coffer policy fmt app.hcl' }],
  args: [{ name: 'file', help: 'File with the policy.' }],
  globals: false,
  run({ args, out }) {
    const file = args[0]!
    const text = readPolicy(file)
    let formatted: string
    try {
      formatted = formatHcl(text)
    } catch (cause) {
      throw new CliError(`Error parsing policy: ${messageOf(cause)}`, { cause })
    }
    if (formatted !== text) writeFileSync(file, formatted)
    out.line(`Success! Formatted policy: ${file}`)
  },
})

export const commands = [list, read, write, remove, fmt]
