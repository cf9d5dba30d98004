/** Secrets that no provider owns but whose form says what they are: keys, signed tokens, addresses. */
import { type Rule } from './rule.ts'
import { isPlaceholder } from './value.ts'

const HEADER =
  '(?:(?:\\s|\\\\[nr]){0,8}(?:Proc-Type|DEK-Info|Comment|Version|Hash): [ -~]{1,90}?(?=\\s|\\\\[nr]))?'

export const STRUCTURAL: readonly Rule[] = [
  {
    id: 'private-key',
    provider: 'pem',
    title: 'Private key in PEM',
    place: 'keyword',
    keywords: ['-----begin'],
    pattern: new RegExp(
      `-----BEGIN[ A-Z0-9_]{0,40}PRIVATE KEY(?: BLOCK)?-----${HEADER.repeat(3)}[^-]{24,16000}(?:-----END[ A-Z0-9_]{0,40}PRIVATE KEY(?: BLOCK)?-----)?`,
    ),
    check: (secret) => isKeyBody(secret),
    glued: true,
    severity: 'high',
    samples: {
      yes: ['-----BEGIN RSA PRIVATE KEY-----\nMII{s61}\n{s64}\n-----END RSA PRIVATE KEY-----'],
      no: ['-----BEGIN PRIVATE KEY-----\nREPLACE ME\n-----END PRIVATE KEY-----'],
    },
  },
  {
    id: 'jwt',
    provider: 'jwt',
    title: 'JSON Web Token',
    place: 'keyword',
    keywords: ['eyj'],
    pattern: /ey[A-Za-z0-9_-]{10,2000}\.ey[A-Za-z0-9_-]{10,6000}\.[A-Za-z0-9_-]{0,1000}/,
    generic: true,
    severity: 'medium',
    samples: {
      yes: ['eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIx{b40}.{b43}'],
      no: ['keyJob.start()'],
    },
  },
  {
    id: 'url-credentials',
    provider: 'url',
    title: 'Password in a URL',
    place: 'keyword',
    keywords: ['://'],
    pattern: /:\/\/[^\s:@/"'`<>]{0,80}:([^\s@/"'`<>]{3,200})@[\w.-]{1,120}/,
    glued: true,
    check: (secret) => !isPlaceholder(secret),
    generic: true,
    severity: 'high',
    samples: {
      yes: ['postgres://app:{B20}@db.internal:5432/app'],
      no: ['https://example.com/a@b'],
    },
  },
]

function isKeyBody(pem: string): boolean {
  const body = pem.slice(pem.indexOf('KEY', 11))
  const longest = /[A-Za-z0-9+/=]{24,200}/.exec(body.replaceAll(/\\[nr]|\s/g, ''))
  return longest !== null && !isPlaceholder(longest[0])
}
