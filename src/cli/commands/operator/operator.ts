/** The `operator` family, in the order its help lists it. */
import { generateRoot } from './generate-root.ts'
import { init } from './init.ts'
import { keyStatus, members, rotate } from './keys.ts'
import { rekey } from './rekey.ts'
import { seal, stepDown, unseal } from './unseal.ts'

export const commands = [
  init,
  unseal,
  seal,
  generateRoot,
  rekey,
  rotate,
  keyStatus,
  members,
  stepDown,
]
