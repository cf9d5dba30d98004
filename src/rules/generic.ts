/** Assignments to names that say themselves that a secret follows. They yield to every other rule. */
import { type Rule } from './rule.ts'
import { looksRandom } from './value.ts'

export const GENERIC: readonly Rule[] = [
  {
    id: 'generic-secret',
    provider: 'generic',
    title: 'Secret assigned to a name that says so',
    place: 'value',
    inside: true,
    keywords: [
      'password',
      'passwd',
      'secret',
      'token',
      'api_key',
      'apikey',
      'api-key',
      'credential',
    ],
    pattern: /[^\s"'`<>]{8,200}/,
    check: (secret) => /\d/.test(secret) && /[A-Za-z]/.test(secret) && looksRandom(secret),
    generic: true,
    severity: 'medium',
    samples: {
      yes: ['password = "{B24}"', 'api_key: {B32}'],
      no: ['password = "<your-password>"', 'token = getToken()'],
    },
  },
]
