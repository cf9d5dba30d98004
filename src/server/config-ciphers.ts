/**
 * TLS 1.2 cipher suites by the names Go, and so Vault, gives them, as OpenSSL calls them. Only
 * suites with forward secrecy and authenticated encryption are here; TLS 1.3 has no others.
 */
import { BadValue, list } from './config-kinds.ts'

const TLS12: Readonly<Record<string, string>> = {
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
}
const TLS13 = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256']

const parts = list(
  `a list of suites out of ${[...new Set(Object.keys(TLS12)), ...TLS13].join(', ')}`,
  (part) => {
    const suite = TLS13.includes(part) ? part : Object.hasOwn(TLS12, part) ? TLS12[part] : undefined
    if (suite === undefined) throw new BadValue('names a suite that is unknown, or not safe enough')
    return suite
  },
)

/**
 * OpenSSL's names, ready for the `ciphers` of a TLS context. As in Go the list chooses among the
 * suites of TLS 1.2 only: without those of TLS 1.3 in the list, Node would switch TLS 1.3 off.
 */
export const cipherSuites = {
  ...parts,
  parse: (value: Parameters<typeof parts.parse>[0]) => [
    ...new Set([...parts.parse(value), ...TLS13]),
  ],
}
