/** The flag of all commands that take an index; by itself, since reading one is loaded when wanted. */
import { flag } from '../flag.ts'

/** Whose signature counts; without it, that of whoever made the file does. */
export const indexKeyFlag = flag.string(
  'Take the index only if this key has signed it; `coffer fingerprints` shows it.',
)
