/** `scan install-hook`, apart from what it does: a scan loads none of that. */
import { defineCommand, flag } from '../../command.ts'

export const hookFlags = {
  doctor: flag.bool('Say whether the hooks run, and change nothing.'),
  uninstall: flag.bool('Take the hooks out; what was there before is put back.'),
  shared: flag.bool('Install into hooks that all of your repositories share.'),
}
export const installHook = defineCommand({
  path: ['scan', 'install-hook'],
  summary: 'Scans before each commit and each push',
  help:
    'Writes pre-commit and pre-push hooks where git looks for them. A hook that is there already is ' +
    'kept and called after ours. With husky, lefthook and the pre-commit framework, ours goes where ' +
    'they call it. With -doctor it says whether another hook keeps ours from running.',
  examples: [
    { does: 'In this repository', line: 'coffer scan install-hook' },
    { does: 'Whether they run', line: 'coffer scan install-hook -doctor' },
    { does: 'Out again', line: 'coffer scan install-hook -uninstall' },
  ],
  globals: false,
  args: [{ name: 'folder', help: 'A repository. Default: this one.', optional: true }],
  flags: hookFlags,
  exits: { 0: 'it is done', 1: '-doctor: a hook does not run', 2: 'it could not be done' },
  errorExit: 2,
  run: async (at) => (await import('./hook.ts')).changeHooks(at),
})
