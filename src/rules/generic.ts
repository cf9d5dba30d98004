/** Assignments to names that say themselves that a secret follows. They yield to every other rule. */
import type { Rule } from './rule.ts'
import { isSecretLike, type Promise } from './secret-like.ts'

type Row = {
  id: string
  title: string
  promise: Promise
  keywords: readonly string[]
  samples: Rule['samples']
}

const rows: readonly Row[] = [
  {
    id: 'generic-password',
    title: 'Password in clear',
    promise: 'password',
    keywords: [
      'password',
      'passwd',
      'passphrase',
      'passcode',
      'pwd',
      '_pass',
      '_psw',
      'userpass',
      'dbpass',
    ],
    samples: {
      yes: ['password = "{B9}!{B6}"', '<password>{B8}#{d4}</password>', 'DB_PASSWORD={B16}'],
      no: [
        'password = "<your-password>"',
        'password: process.env.PASSWORD',
        'password="$(cat password)"',
      ],
    },
  },
  {
    id: 'generic-token',
    title: 'Secret assigned to a name that says so',
    promise: 'token',
    keywords: [
      'secret',
      'token',
      'api_key',
      'apikey',
      'api-key',
      'credential',
      'access_key',
      'access-key',
      'accesskey',
      'private_key',
      'private-key',
      'privatekey',
      'secret_key',
      'auth_key',
      'authkey',
      'encryption_key',
      'signing_key',
      'master_key',
      'creds',
      'user_auth',
      'authorization',
      'x-api-key',
    ],
    samples: {
      yes: [
        'secret = "{B32}"',
        '"api_key": "{h40}"',
        'token: {b40}',
        'set_token("{B24}")',
        'secret_key = "{a24}"',
      ],
      no: [
        'token = getToken()',
        'secret: settings.GITHUB_SECRET',
        'api_key = "your-api-key-goes-here"',
        'secret = "asdfasdfasdfasdfasdfasdf"',
      ],
    },
  },
  {
    id: 'generic-key',
    title: 'Key that is random',
    promise: 'key',
    keywords: ['_key', '-key', '"key', "'key"],
    samples: {
      yes: ['APP_KEY = "{B30}"', '"key": "{B30}"'],
      no: ['project_key = PROJECT_NAME_ALIAS', '"key": "ctrl+shift+down"'],
    },
  },
]

export const GENERIC: readonly Rule[] = rows.map(({ id, title, promise, keywords, samples }) => ({
  id,
  provider: 'generic',
  title,
  place: 'value',
  inside: true,
  keywords,
  whole: true,
  pattern: /^[^\s<>]{8,400}$/,
  check: (secret, _match, assigned) =>
    assigned !== undefined && isSecretLike(secret, promise, assigned),
  generic: true,
  severity: promise === 'key' ? 'low' : 'medium',
  samples,
}))
