/** `scan baseline`, apart from what it does: a scan loads none of that. */
import { type Context, defineCommand, flag } from '../../command.ts'
import { BASELINE_FILE, setupFlags } from './setup.ts'
import { sourceFlags } from './sources.ts'

const { 'no-baseline': _, ...kept } = setupFlags
const flags = {
  ...sourceFlags,
  ...kept,
  baseline: flag.string(`The file. Default: ${BASELINE_FILE} in the folder that is scanned.`),
}
export type At = Context<typeof flags>

const shared = {
  globals: false,
  args: [
    { name: 'path', help: 'Files and folders. Default: this folder.', optional: true, many: true },
  ],
  flags,
  exits: { 0: 'the file is written', 2: 'it could not be done' },
  errorExit: 2,
} as const

export const baselineCreate = defineCommand({
  path: ['scan', 'baseline', 'create'],
  summary: 'Accepts everything that is found now',
  help:
    'Scans, and writes a keyed fingerprint of each finding to a file. Scans that see the file tell ' +
    'only what is not in it. It holds no secret; commit it. Look at what is found first: whatever is ' +
    'accepted is not told again.',
  examples: [
    { does: 'What is in the files now', line: 'coffer scan baseline create' },
    { does: 'What was ever committed', line: 'coffer scan baseline create -history' },
  ],
  ...shared,
  run: async (at) => (await import('./baseline.ts')).create(at),
})

export const baselineUpdate = defineCommand({
  path: ['scan', 'baseline', 'update'],
  summary: 'Accepts what is new and forgets what is gone',
  help: 'Scans as `baseline create` does, and writes the file anew under its key.',
  examples: [{ does: 'After a clean-up', line: 'coffer scan baseline update' }],
  ...shared,
  run: async (at) => (await import('./baseline.ts')).update(at),
})
