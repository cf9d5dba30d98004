/**
 * Whether a certificate is good for a login now: by a chain of authorities up to one that is
 * trusted (RFC 5280, section 6, without policies), or because it is itself the trusted one.
 *
 * What would narrow an authority and is not understood here, name constraints above all, makes the
 * authority useless instead of wider.
 */
import { type Certificate } from './certificate.ts'

/** Certificates between the leaf and the one that is trusted. */
const DEPTH_MAX = 8
/** Signatures looked at for one chain: a client must not choose how much work it makes. */
const ATTEMPTS_MAX = 64

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const ANY_USAGE = '2.5.29.37.0'
const NAME_CONSTRAINTS = '2.5.29.30'
/** Key usage, alternative names, basic constraints, policies, extended key usage. */
const UNDERSTOOD = new Set(['2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.32', '2.5.29.37'])

export type Judge = {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly isRevoked: (certificate: Certificate) => boolean
}

/** In its time, for clients, with nothing critical that is not understood, and not revoked. */
export function isUsable(certificate: Certificate, { now, isRevoked }: Judge): boolean {
  const { notBefore, notAfter, extendedKeyUsages, extensions } = certificate
  if (now < notBefore || now > notAfter) return false
  const forClients = extendedKeyUsages?.some((oid) => oid === CLIENT_AUTH || oid === ANY_USAGE)
  if (forClients === false) return false
  if (extensions.some(({ oid, critical }) => critical && !UNDERSTOOD.has(oid))) return false
  return !isRevoked(certificate)
}

/** Whether an authority may issue at all here: said when a role is written, too. */
export const hasNameConstraints = ({ extensions }: Certificate): boolean =>
  extensions.some(({ oid }) => oid === NAME_CONSTRAINTS)

/** Whether `leaf` was issued under one of the anchors, through what the client sent with it. */
export function isIssuedUnder(
  leaf: Certificate,
  { anchors, sent }: { anchors: readonly Certificate[]; sent: readonly Certificate[] },
  judge: Judge,
): boolean {
  let attempts = 0
  const issues = (issuer: Certificate, subject: Certificate, below: number): boolean => {
    if (!issuer.isCa || hasNameConstraints(issuer) || !isUsable(issuer, judge)) return false
    if (issuer.pathLength !== undefined && issuer.pathLength < below) return false
    // Names, key identifiers and the issuer's key usage; then the signature itself.
    if (!subject.node.checkIssued(issuer.node) || ++attempts > ATTEMPTS_MAX) return false
    return !isWeak(subject) && subject.node.verify(issuer.node.publicKey)
  }
  const reaches = (subject: Certificate, below: number, used: readonly Certificate[]): boolean => {
    if (anchors.some((anchor) => issues(anchor, subject, below))) return true
    if (below >= DEPTH_MAX) return false
    return sent.some(
      (next) =>
        !used.includes(next) &&
        issues(next, subject, below) &&
        reaches(next, below + 1, [...used, next]),
    )
  }
  return isUsable(leaf, judge) && reaches(leaf, 0, [leaf])
}

/** Collisions can be made for these; nothing but a signature speaks for what an authority issued. */
const isWeak = ({ node }: Certificate) => /md5|sha-?1(?!\d)/i.test(node.signatureAlgorithm ?? 'md5')
