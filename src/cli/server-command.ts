/** `server`: its flags and its start belong beside the server; until then the word is reserved. */
import { CliError } from './cli-error.ts'
import { defineCommand } from './command.ts'

export const command = defineCommand({
  path: ['server'],
  summary: 'Starts a server',
  globals: false,
  run() {
    throw new CliError('this build has no server')
  },
})
