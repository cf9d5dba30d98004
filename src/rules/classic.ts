/**
 * What a scanner of commits is expected to find even though it is weak, short or made up: passwords
 * and tokens that somebody typed, the header of a private key, GitHub's prefixes before letters that
 * are not random. They are the last to be asked: every other rule knows more.
 */
import { isPublished } from './published.ts'
import type { Rule } from './rule.ts'
import { isTyped } from './typed.ts'
import { distinct, isMasked, isPlaceholder } from './value.ts'

export const CLASSIC: readonly Rule[] = [
  {
    id: 'typed-password',
    provider: 'generic',
    title: 'Password that somebody typed',
    place: 'value',
    inside: true,
    whole: true,
    keywords: ['password', 'passwd', 'passphrase'],
    // What cannot pass is turned away here, before anything around it is read.
    pattern: /^(?=.{0,39}[^A-Za-z_.]|my|our|super|top|very|ultra|[a-z]{8})[^\s<>]{6,40}$/i,
    check: (secret, _match, at) => at !== undefined && isTyped(secret, 'password', at),
    generic: true,
    severity: 'medium',
    samples: {
      yes: ['password = "hunter{d1}"', 'DB_PASSWORD=admin{d3}', "password: 'purple-{a8}-horse'"],
      no: [
        'password = "password"',
        'password: "new-password"',
        'password = args2',
        'if (password == "hunter{d1}") {',
        'password: "Enter your password:"',
        'log(password=hunter{d1}, x)',
      ],
    },
  },
  {
    id: 'typed-secret',
    provider: 'generic',
    title: 'Secret that somebody typed',
    place: 'value',
    inside: true,
    whole: true,
    keywords: [
      ...['secret', 'token', 'api_key', 'apikey', 'api-key', 'signing_key', 'encryption_key'],
      ...['master_key', 'auth_key', 'authkey', 'signingkey', 'encryptionkey', 'masterkey'],
    ],
    pattern: /^(?=.{0,39}\d|my|our|super|top|very|ultra)[^\s<>]{8,40}$/i,
    check: (secret, _match, at) => at !== undefined && isTyped(secret, 'token', at),
    generic: true,
    severity: 'low',
    samples: {
      yes: [
        'secret = "mysecret{d2}"',
        'secret_key = "mysecret{a4}"',
        'API_KEY=abcdef01234567{d2}',
        'token: "tok_123456{d2}"',
      ],
      no: [
        'token: "identifier"',
        'secret: "client_secret"',
        'token = "keyword.control"',
        'token: "utf-16le"',
        'secret: "db-login-2"',
        'token = next123 + 1',
        'encryption_key: "encryptionKey1024"',
        'signing_key: "{h16}"',
      ],
    },
  },
  {
    id: 'private-key-header',
    provider: 'pem',
    title: 'Header of a private key',
    place: 'keyword',
    keywords: ['-----begin'],
    pattern:
      /-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----(?=[ \t]{0,9}(?:$|\\{1,4}[nr]|\r?\n|["'`]|M[A-I]|b3Bl))/,
    check: (_secret, { input, index, 0: header }) =>
      isKeyBegun(before(input, index), input.slice(index + header.length, index + 600)),
    glued: true,
    generic: true,
    severity: 'medium',
    samples: {
      yes: [
        '-----BEGIN RSA PRIVATE KEY-----',
        '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n',
        'key = "-----BEGIN PRIVATE KEY-----\\nMIIE{s12}\\n"',
      ],
      no: [
        'if (pem.startsWith("-----BEGIN PRIVATE KEY-----")) throw new Error("that is private")',
        '-----BEGIN PRIVATE KEY-----\nREPLACE ME\n-----END PRIVATE KEY-----',
        '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----',
        '/^-----BEGIN PRIVATE KEY-----\\n/',
        'pem = "-----BEGIN PRIVATE KEY-----\\n" + body',
      ],
    },
  },
  {
    id: 'known-prefix',
    provider: 'generic',
    title: 'Prefix of a known token before letters that nobody drew',
    place: 'keyword',
    keywords: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'xoxa-', 'xoxb-', 'xoxp-', 'sk_live_'],
    pattern:
      /(?:gh[pousr]_[A-Za-z0-9]{16,80}|xox[abp]-[\w-]{8,200}|sk_live_[A-Za-z0-9]{8,110})(?![\w-])/,
    check: (secret, { input, index }) => {
      const rest = secret.replace(/^(?:gh._|xox.-|sk_live_)/, '')
      if (isMasked(rest) || isPlaceholder(rest) || distinct(rest) < 5) return false
      // GitHub's documentation shows one in an answer, and everybody copies that answer.
      const around = input.slice(Math.max(0, index - 120), index + 160)
      if (isPublished(secret) && around.includes('token_type')) return false
      return /\d/.test(rest) || (rest.length >= 36 && !rest.includes('-'))
    },
    generic: true,
    severity: 'medium',
    samples: {
      yes: ['ghp_{d10}{a26}{A2}', 'xoxb-{d6}-{l6}', 'sk_live_{d4}{l5}'],
      no: [
        'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
        'ghp_short',
        'xghp_{B38}',
        'xoxb-your-token',
        'sk_live_short',
      ],
    },
  },
]

/** What stands before it on its line. */
const before = (text: string, at: number) =>
  text.slice(Math.max(0, at - 120), at).replace(/^[^]*[\r\n]/, '')

/**
 * Whether a key follows: in a line of its own, or in a string that goes on or whose name says that
 * it is a key. A string that is the header and nothing else belongs to a program that reads keys.
 */
function isKeyBegun(line: string, after: string): boolean {
  if (!ALONE.test(line) && !ASSIGNED.test(line)) return false
  if (/^["'`]/.test(after) && NAMED.test(line)) return true
  const ahead = after.replaceAll(HEADERS, '$1')
  const inner = ahead.slice(GAP.exec(ahead)?.[0].length ?? 0)
  if (inner === '') return true
  const [body = '', next = ''] = /^([A-Za-z0-9+/=]{3,})([^]?)/.exec(inner)?.slice(1) ?? []
  if (body === '' || distinct(body) < 2 || isPlaceholder(body) || /^[a-f0-9]{32,}$/.test(body))
    return false
  if (next === '.') return /^(?:M[A-I]|b3Bl)/.test(body)
  return next === '' || /[\r\n\\"'`-]/.test(next)
}
/** Space, the sign of a changed line, or what assigns the string that the header begins. */
const ALONE = /^[ \t]{0,80}[+>-]?[ \t]{0,80}$/
const ASSIGNED = /[=:(,][ \t]{0,9}(?:[bru]{0,2}\\?["'`]{1,3})?$/i
const NAMED =
  /(?:key|secret)["'\]]{0,2}[ \t]{0,9}(?::[ \t]?\w{1,20} )?[:=]{1,2}>?[ \t]{0,9}[bru]{0,2}["'`]$/i
const HEADERS = /(\n|\\n)(?:Proc-Type|DEK-Info|Comment|Version|Hash): [ -~]{1,90}?(?=[\r\n\\]|$)/g
/** The seam between two strings that are put together, and line breaks, real and escaped. */
const GAP = /^(?:\s|\\{1,4}[nrt]|["'`][ \t]{0,3}[+.,\\]?\s{0,80}["'`]){0,60}/
