/** The flags of -fix, apart from what it does: a scan without it loads none of that. */
import { flag } from '../../command.ts'

export const fixFlags = {
  fix: flag.bool('Put what is found into the vault, and references in its place. Asks first.'),
  'fix-path': flag.string(
    'The KV secret to put it in. Default: secret/ and the name of the folder.',
  ),
  rotate: flag.bool('With -fix and -index: then rotate what was known to the vault.'),
  yes: flag.bool('-fix does not ask.'),
}
