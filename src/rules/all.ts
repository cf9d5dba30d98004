/** Every rule there is. A new provider is a row in the file of its kind. */
import { CLOUD } from './cloud.ts'
import { GENERIC } from './generic.ts'
import { type Rule } from './rule.ts'
import { SERVICES } from './services.ts'
import { STRUCTURAL } from './structural.ts'
import { VCS } from './vcs.ts'

export const ALL_RULES: readonly Rule[] = [...CLOUD, ...SERVICES, ...VCS, ...STRUCTURAL, ...GENERIC]
