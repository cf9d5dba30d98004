/** What a role asks of a certificate beyond who issued it. Every list that is set must be met. */
import { wildcardMatch } from '../../lib/glob.ts'
import { type Certificate, type Extension } from './certificate.ts'
import { type Role } from './role.ts'

export function meetsConstraints(certificate: Certificate, role: Role): boolean {
  const { commonNames, dnsNames, emails, uris, organizationalUnits } = certificate
  return (
    meets(role.allowed_names, [...commonNames, ...dnsNames, ...emails]) &&
    meets(role.allowed_common_names, commonNames) &&
    meets(role.allowed_dns_sans, dnsNames) &&
    meets(role.allowed_email_sans, emails) &&
    meets(role.allowed_uri_sans, uris) &&
    meets(role.allowed_organizational_units, organizationalUnits) &&
    (role.required_extensions ?? []).every((required) => hasExtension(certificate, required))
  )
}

function meets(patterns: readonly string[] | null, names: readonly string[]): boolean {
  if (!patterns || patterns.length === 0) return true
  return names.some((name) => patterns.some((pattern) => wildcardMatch(pattern, name)))
}

/** `OID:pattern`, held against the text that the extension holds; `hex:OID:pattern`, against all of it. */
function hasExtension({ extensions }: Certificate, required: string): boolean {
  const hex = required.startsWith('hex:')
  const rest = hex ? required.slice('hex:'.length) : required
  const at = rest.indexOf(':')
  if (at < 0) return false
  const [oid, pattern] = [rest.slice(0, at), rest.slice(at + 1)]
  return extensions.some((extension) => {
    if (extension.oid !== oid) return false
    const held = hex ? Buffer.from(extension.value).toString('hex') : textOf(extension)
    return held !== undefined && wildcardMatch(hex ? pattern.toLowerCase() : pattern, held)
  })
}

/** The metadata that a role allows from extensions; a dash for each dot, so that a path can name it. */
export function extensionMetadata({ extensions }: Certificate, role: Role): Record<string, string> {
  const allowed = new Set(role.allowed_metadata_extensions)
  const found: Record<string, string> = {}
  for (const extension of extensions) {
    const text = allowed.has(extension.oid) ? textOf(extension) : undefined
    if (text !== undefined) found[extension.oid.replaceAll('.', '-')] = text
  }
  return found
}

/** UTF8String, NumericString, PrintableString, TeletexString, IA5String. */
const TEXT_TAGS = new Set([0x0c, 0x12, 0x13, 0x14, 0x16])

/** The text of an extension that is one DER string and nothing after it (X.690, section 8.1). */
function textOf({ value }: Extension): string | undefined {
  const [tag = 0, first = 0] = value
  if (!TEXT_TAGS.has(tag)) return undefined
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || lengthBytes > 2) return undefined
  let length = first
  if (lengthBytes > 0) {
    length = Buffer.from(value.subarray(2, 2 + lengthBytes)).readUIntBE(0, lengthBytes)
  }
  const content = value.subarray(2 + lengthBytes)
  if (content.length !== length) return undefined
  return Buffer.from(content).toString(tag === 0x14 ? 'latin1' : 'utf8')
}
