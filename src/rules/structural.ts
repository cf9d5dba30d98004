/** Keys and signed tokens that no provider owns but whose form says what they are. */
import { isPublished } from './published.ts'
import type { Rule } from './rule.ts'
import { isMasked } from './value.ts'

const HEADER =
  '(?:[\\s\\\\nr]{0,16}(?:Proc-Type|DEK-Info|Comment|Version|Hash): [ -~]{1,90}?(?=\\s|\\\\[nr]))?'
const KIND = '[ A-Z0-9_]{0,40}PRIVATE KEY(?: BLOCK)?'

export const STRUCTURAL: readonly Rule[] = [
  {
    id: 'private-key',
    provider: 'pem',
    title: 'Private key in PEM',
    place: 'keyword',
    keywords: ['-----begin'],
    // Real line breaks, escaped ones, or none; quotes and pluses of strings that are put together.
    pattern: new RegExp(
      `-----BEGIN${KIND}-----${HEADER.repeat(3)}[^-]{24,16000}(?:-----END${KIND}-----)?`,
    ),
    check: isPrivateKey,
    glued: true,
    severity: 'high',
    samples: {
      yes: [
        '-----BEGIN RSA PRIVATE KEY-----\nMIIEow{s58}\n{s64}\n{s64}\n-----END RSA PRIVATE KEY-----',
        '"-----BEGIN PRIVATE KEY-----\\nMIIEvQ{s58}\\n{s64}\\n-----END PRIVATE KEY-----"',
        '-----BEGIN EC PRIVATE KEY-----MHcCAQEE{s150}-----END EC PRIVATE KEY-----',
        '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA{s70}\n{s70}\n-----END OPENSSH PRIVATE KEY-----',
        '-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 2\n\nlQW{s64}\n{s64}\n-----END PGP PRIVATE KEY BLOCK-----',
      ],
      no: [
        '-----BEGIN PRIVATE KEY-----\nREPLACE ME\n-----END PRIVATE KEY-----',
        '-----BEGIN PRIVATE KEY-----this is not a private key-----END PRIVATE KEY-----',
        'if (pem.startsWith("-----BEGIN PRIVATE KEY-----")) throw new Error("that is private")',
        '-----BEGIN CERTIFICATE-----\nMII{s61}\n{s64}\n-----END CERTIFICATE-----',
      ],
    },
  },
  {
    id: 'putty-private-key',
    provider: 'putty',
    title: 'PuTTY private key',
    place: 'keyword',
    keywords: ['putty-user-key-file-'],
    pattern:
      /PuTTY-User-Key-File-[23]: [\s\S]{10,1500}?Private-Lines: \d{1,3}\r?\n[A-Za-z0-9+/=\r\n]{40,4000}/,
    severity: 'high',
    samples: {
      yes: [
        'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 2\n{s64}\nPrivate-Lines: 1\n{s48}\n',
      ],
      no: ['PuTTY-User-Key-File-3: ssh-ed25519\n'],
    },
  },
  {
    id: 'jwk-private',
    provider: 'jwk',
    title: 'Private part of a JSON Web Key',
    place: 'keyword',
    keywords: ['"kty"'],
    pattern:
      /"kty"\s{0,4}:\s{0,4}"(?:RSA|EC|OKP|oct)"[^{}]{0,1500}?"[dk]"\s{0,4}:\s{0,4}"([\w-]{32,700})"/,
    glued: true,
    check: (secret) => !isMasked(secret),
    severity: 'high',
    samples: {
      yes: ['{"kty":"EC","crv":"P-256","x":"{b43}","y":"{b43}","d":"{b43}"}'],
      no: ['{"kty":"EC","crv":"P-256","x":"{b43}","y":"{b43}"}'],
    },
  },
  {
    id: 'jwt',
    provider: 'jwt',
    title: 'JSON Web Token',
    place: 'keyword',
    keywords: ['eyj', 'eyf', 'eyb'],
    pattern:
      /ey[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_\\/-]{10,8000}(?:\.[A-Za-z0-9_\\/-]{0,1400}={0,2}){0,3}/,
    check: isJwt,
    generic: true,
    severity: 'medium',
    samples: {
      yes: ['Cookie: session={jwt}'],
      no: ['keyJob.start()', 'eyJ{b30}.x', 'return eyJob.startTheWholeMachine'],
    },
  },
]

/** The first bytes of a key in each form, in base 64: an ASN.1 sequence, OpenSSH's magic. */
function isPrivateKey(pem: string): boolean {
  const at = pem.indexOf('-----', 11)
  const kind = pem.slice(11, at)
  const inner = pem.slice(at + 5).replace(/-----END[\s\S]*$/, '')
  const headers = /(?:Proc-Type|DEK-Info|Comment|Version|Hash): [ -~]{1,90}?(?=\s|\\[nr]|$)/g
  const body = inner
    .replaceAll(headers, '')
    .replaceAll(/\\+[nrt]|["'`+,\\]\s{0,80}\r?\n\s{0,80}["'`]?|\s/g, '')
  const base64 = /^["'`]?([A-Za-z0-9+/=]{24,})/.exec(body)?.[1]
  if (base64 === undefined || isMasked(base64)) return false
  if (kind.includes('OPENSSH')) return base64.startsWith('b3BlbnNzaC1rZXktdjE')
  if (kind.includes('PGP')) return base64.length >= 80 && /[g-zG-Z]/.test(base64)
  if (/ENCRYPTED/.test(inner)) return base64.length >= 64
  return /^M[A-I]/.test(base64) && base64.length >= 40
}

/** The header must say how it is signed; where it cannot be read, all three parts must be there. */
function isJwt(token: string): boolean {
  if (isPublished(token)) return false
  const [header = '', payload = '', signature] = token.split('.')
  const text = Buffer.from(header, 'base64url').toString('latin1')
  if (/^\{.*"(?:alg|typ|kid|enc|crv)"/s.test(text))
    return !isShownOnly(payload) && !isSpelled(signature ?? '')
  return payload.startsWith('ey') && signature !== undefined && /\d/.test(token)
}

/** A signature that can be read: `c2lnbmF0dXJl` is the word. */
function isSpelled(signature: string): boolean {
  return (
    signature !== '' && /^[\w .-]+$/.test(Buffer.from(signature, 'base64url').toString('latin1'))
  )
}

/** Links to images in private issues carry a token of five minutes that everybody copies along. */
function isShownOnly(payload: string): boolean {
  const claims = Buffer.from(payload, 'base64url').toString('latin1')
  return claims.includes('"iss":"github.com"') && claims.includes('raw.githubusercontent.com')
}
