/** `completion`: prints the script that makes a shell complete this program. */
import { CliError } from '../cli-error.ts'
import { defineCommand } from '../command.ts'
import { completionScript, SHELLS } from '../completion.ts'
import { commandsOf, FAMILIES } from '../families.ts'

export const command = defineCommand({
  path: ['completion'],
  summary: 'Prints a completion script for bash or zsh',
  help: 'Prints a script for your shell. Sourced, it completes commands and flags on Tab.',
  examples: [
    { does: 'For this shell', line: 'source <(coffer completion bash)' },
    { does: 'For good', line: "echo 'source <(coffer completion zsh)' >> ~/.zshrc" },
  ],
  args: [{ name: 'shell', help: 'bash or zsh.' }],
  globals: false,
  async run({ args, out, program }) {
    const shell = SHELLS.find((each) => each === args[0])
    if (shell === undefined) throw new CliError(`the shell must be one of ${SHELLS.join(', ')}`)
    const commands = (await Promise.all(FAMILIES.map(commandsOf))).flat()
    out.line(completionScript(shell, program, commands).trimEnd())
  },
})
