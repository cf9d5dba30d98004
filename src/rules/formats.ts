/** Secrets that a format of files has a place for: manifests, settings, lists of passwords. */
import type { Rule } from './rule.ts'
import { secretsOfManifest, type Span } from './manifest.ts'
import { isToken } from './secret-like.ts'
import { isMasked, isPlaceholder } from './value.ts'

export const FORMATS: readonly Rule[] = [
  {
    id: 'kubernetes-secret',
    provider: 'kubernetes',
    title: 'Value in a Kubernetes Secret',
    place: 'keyword',
    keywords: ['kind: secret', 'kind: "secret', "kind: 'secret", '"kind": "secret'],
    pattern: /["']?kind["']?\s{0,3}:\s{0,3}["']?secret["']?(?=[\s,}]|$)/i,
    locate: secretsOfManifest,
    glued: true,
    generic: true,
    severity: 'high',
    samples: {
      yes: [
        'apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  extra: {s22}==\n',
        'apiVersion: v1\nstringData:\n  camo: {B24}\nkind: Secret\n',
      ],
      no: [
        'apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  htpasswd: ""\n',
        'kind: Secret\nstringData:\n  camo: "{{ .Values.camo }}"\n',
        'kind: ConfigMap\ndata:\n  camo: {B24}\n',
      ],
    },
  },
  {
    id: 'docker-auth',
    provider: 'docker',
    title: 'Login to a container registry',
    place: 'keyword',
    keywords: ['auths'],
    pattern:
      /auths(?:\\{0,8}")\s{0,4}:\s{0,20}\{[^{}]{1,200}\{[^{}]{0,400}?\\{0,8}"auth\\{0,8}"\s{0,4}:\s{0,4}\\{0,8}"([A-Za-z0-9+/_-]{12,2000}={0,2})\\{0,8}"/,
    check: (secret, { input, index }) =>
      !isPlaceholder(secret) &&
      !/_[A-Z]{3,}_/.test(secret) &&
      !/@example\./.test(input.slice(index, index + 900)),
    glued: true,
    severity: 'high',
    samples: {
      yes: ['{"auths":{"quay.io":{"auth":"{s60}","email":"ops@corp.net"}}}'],
      no: [
        '{"auths":{"quay.io":{"auth":""}}}',
        '{"auths":{"quay.io":{"auth":"<base64 of user:password>"}}}',
      ],
    },
  },
  {
    id: 'maven-encrypted-password',
    provider: 'maven',
    title: 'Password of Maven, encrypted with a known key',
    place: 'keyword',
    keywords: ['<master>{', '<password>{'],
    pattern: /<(?:master|password)>\{([A-Za-z0-9+/]{22,400}={0,2}\\?)\}/,
    glued: true,
    severity: 'medium',
    samples: {
      yes: ['<master>{{s43}=}</master>'],
      no: ['<master>{YOUR_MASTER_PASSWORD}</master>'],
    },
  },
  {
    id: 'nuget-password',
    provider: 'nuget',
    title: 'Password of a NuGet source in clear',
    place: 'keyword',
    keywords: ['"cleartextpassword"', '"password"'],
    pattern: /"(?:clearTextPassword|password)"\s{1,4}value="([^"%$<{][^"$<{]{4,100})"/i,
    glued: true,
    check: (secret) => !isPlaceholder(secret),
    severity: 'high',
    samples: {
      yes: ['<add key="ClearTextPassword" value="{B14}" />'],
      no: ['<add key="ClearTextPassword" value="%NUGET_PASSWORD%" />'],
    },
  },
  {
    id: 'password-hash',
    provider: 'crypt',
    title: 'Hash of a password',
    place: 'keyword',
    keywords: [
      '$1$',
      '$2a$',
      '$2b$',
      '$2y$',
      '$5$',
      '$6$',
      '$y$',
      '$gy$',
      '$apr1$',
      '$md5,',
      '$7$',
    ],
    pattern:
      /\$(?:(?:apr1|1)\$[\w./]{1,8}\$[A-Za-z0-9./]{22,26}|2[aby]\$\d\d\$[A-Za-z0-9./]{53}|[56]\$(?:rounds=\d{1,9}\$)?[A-Za-z0-9./]{1,16}\$(?:[A-Za-z0-9./]{43}|[A-Za-z0-9./]{86})|(?:g?y|7|md5,rounds=\d{1,9})\$[A-Za-z0-9./$]{20,140})(?![A-Za-z0-9./])/,
    check: (secret, { input, index }) => beginsEntry(input, index) && !isMasked(secret),
    glued: true,
    severity: 'low',
    samples: {
      yes: ['root:$6${B16}${B86}:19000:0:::', '$2b$12${B53}', 'bob:$apr1${B8}${B22}'],
      no: ['equal(hash, "$2b$12${B53}")', 'A hash looks like $5${B16}${B43}', 'root:$6$short'],
    },
  },
  {
    id: 'secret-file',
    provider: 'generic',
    title: 'A file that is named as a secret and holds one',
    keywords: [],
    path: /(?:^|[./])\w{0,20}(?:password|passwd|passphrase|secret|token|credential|apikey)s?(?:\.txt)?$/i,
    pattern: /^[ \t]{0,8}([\w.~+/=@!-]{16,200})[ \t]{0,8}\r?$/m,
    check: (secret) => isToken(secret, 'token') && !isPlaceholder(secret),
    generic: true,
    severity: 'medium',
    samples: {
      yes: ['# Client password\n{B44}\n'],
      no: ['this is no secret'],
      path: 'config/client.password',
    },
  },
  {
    id: 'wallet-key',
    provider: 'ethereum',
    title: 'Private key of a wallet',
    place: 'keyword',
    keywords: ['wallet'],
    pattern: /wallet/i,
    locate: keysAround,
    glued: true,
    severity: 'medium',
    samples: {
      yes: ['my wallet is 0x{h64}', 'send it to 0x{h64} (my wallet)'],
      no: ['const P = 0x{h64}n', 'wallet 0x{h40}'],
    },
  },
  {
    id: 'azure-ad-secret',
    provider: 'azure',
    title: 'Azure AD client secret',
    place: 'keyword',
    keywords: ['q~'],
    back: [4, 4],
    pattern: /[\w.~-]{3}\dQ~[\w.~-]{31,34}/,
    severity: 'high',
    samples: { yes: ['({B3}8Q~{b34})'], no: ['{B3}8Q~{b12}', '{B3}8Q~{B50}'] },
  },
  {
    id: 'encoded-secret',
    provider: 'encoded',
    title: 'A secret in base 64',
    place: 'keyword',
    // `secret`, `password`, `token=`, `-----BEGIN`, `eyJ…`, at each of the three places a byte can have.
    keywords: [
      'c2vjcmv0',
      'nly3jld',
      'zzwnyzx',
      'cgfzc3dvcm',
      'bhc3n3b3jk',
      'wyxnzd29yz',
      'dg9rzw',
      'rva2vu',
      '0b2tlb',
      'ls0tls1crudjt',
      '0tls0tqkvhsu4',
      'tls0tlujfr0lo',
      'zxlk',
    ],
    pattern: /[A-Za-z0-9+/]{40}/,
    encoded: true,
    glued: true,
    generic: true,
    severity: 'medium',
    samples: { yes: [], no: ['c2VjcmV0', 'cGFzc3dvcmQ='] },
  },
]

/** An entry of its own, as in passwd and htpasswd: at the start of a line, behind a name at most. */
function beginsEntry(text: string, at: number): boolean {
  const line =
    text
      .slice(Math.max(0, at - 80), at)
      .split('\n')
      .at(-1) ?? ''
  return /^\s{0,8}(?:[\w.@-]{1,40}:)?$/.test(line)
}

/** Keys of 32 bytes near the word. */
function keysAround(text: string, at: number): Span[] {
  const from = Math.max(0, at - WALLET_NEAR)
  const near = text.slice(from, at + WALLET_NEAR)
  return [...near.matchAll(/\b0x[a-fA-F0-9]{64}\b/g)]
    .filter(([key]) => !isMasked(key.slice(2)))
    .map(({ index }): Span => [from + index, from + index + 66])
}
const WALLET_NEAR = 160
