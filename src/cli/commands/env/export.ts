/** `env export`: the variables of an environment, in the form another program reads. */
import { stringifyJson } from '../../../client/json.ts'
import { envLine } from '../../../lib/env-file.ts'
import { CliError } from '../../cli-error.ts'
import { defineCommand, flag } from '../../command.ts'
import { baseFlag, environmentPath, readStored } from '../../env/environment.ts'
import { withClient } from '../../env/with-client.ts'

const FORMS = ['dotenv', 'shell', 'json', 'docker'] as const
type Form = (typeof FORMS)[number]

/** A line for each variable; undefined when this form cannot hold the name or the value. */
const LINE: Readonly<Record<Exclude<Form, 'json'>, typeof envLine>> = {
  dotenv: envLine,
  shell: (name, value) =>
    /^[A-Za-z_]\w*$/.test(name) && !value.includes('\0')
      ? `export ${name}='${value.replaceAll("'", `'\\''`)}'`
      : undefined,
  // Docker takes what is behind the sign as it is: quotes would be part of the value.
  docker: (name, value) =>
    /^[^\s=#][^\s=]*$/.test(name) && !/[\r\n\0]/.test(value) ? `${name}=${value}` : undefined,
}

export const exporting = defineCommand({
  path: ['env', 'export'],
  summary: 'Prints an environment for another program',
  help:
    'Prints the variables with their values. What a form cannot hold is refused and named: shell ' +
    'and docker take fewer names, docker no value of several lines, .env no text with every quote.',
  examples: [
    { does: 'As a .env file', line: 'coffer env export secret/shop/dev > .env' },
    { does: 'Into this shell', line: 'eval "$(coffer env export -as=shell secret/shop/dev)"' },
    {
      does: 'For a container',
      line: 'coffer env export -as=docker secret/shop/dev > dev.list',
    },
  ],
  args: [{ name: 'path', help: 'The environment, such as secret/shop/dev.' }],
  flags: {
    base: baseFlag,
    as: flag.string('The form. -format=json is the same as -as=json.', {
      oneOf: FORMS,
      default: 'dotenv',
    }),
  },
  async run(at) {
    const path = environmentPath(at, at.args[0]!)
    if (path.endsWith('/')) {
      throw new CliError(
        'a folder cannot be exported: two secrets may have the same name in them',
        {
          hint: 'export them one by one',
        },
      )
    }
    const stored = await withClient(at, (client) => readStored(client, path))
    if (!stored.exists) throw new CliError(`there is no environment at ${path}`, { exit: 2 })
    const variables = [...stored.variables]
    const form = (at.settings.format === 'json' ? 'json' : at.flags.as) as Form
    if (form === 'json') {
      at.out.line(JSON.stringify(JSON.parse(stringifyJson(Object.fromEntries(variables))), null, 2))
      return
    }
    const lines = variables.map(([name, value]) => ({ name, line: LINE[form](name, value) }))
    const unfit = lines.filter(({ line }) => line === undefined).map(({ name }) => name)
    if (unfit.length > 0) {
      throw new CliError(
        `${form} has no way to write the name or the value of: ${unfit.join(', ')}`,
        {
          hint: 'use -as=json',
        },
      )
    }
    for (const { line } of lines) at.out.line(line!)
  },
})
