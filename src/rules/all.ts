/** Every rule there is. A new provider is a row in the file of its kind. */
import { ADDRESSES } from './addresses.ts'
import { CLASSIC } from './classic.ts'
import { CLOUD } from './cloud.ts'
import { DATA } from './data.ts'
import { FORMATS } from './formats.ts'
import { GENERIC } from './generic.ts'
import { MESSAGING } from './messaging.ts'
import { MODELS } from './models.ts'
import { PAYMENTS } from './payments.ts'
import type { Rule } from './rule.ts'
import { SAAS } from './saas.ts'
import { STRUCTURAL } from './structural.ts'
import { VCS } from './vcs.ts'

export const ALL_RULES: readonly Rule[] = [
  ...CLOUD,
  ...VCS,
  ...PAYMENTS,
  ...MESSAGING,
  ...MODELS,
  ...DATA,
  ...SAAS,
  ...STRUCTURAL,
  ...FORMATS,
  ...ADDRESSES,
  ...GENERIC,
  ...CLASSIC,
]
