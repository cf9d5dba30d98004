/** `listener "tcp"` blocks: addresses, TLS and limits. */
import { type ResponseHeaders } from './config-headers.ts'
import { LISTENER_KEYS, LISTENER_TELEMETRY_KEYS, type TlsVersion } from './config-listener-keys.ts'
import { quoted, type Report } from './config-report.ts'
import { type Found, inside, type Placed, placeOf, readTable, type Scope } from './config-table.ts'

export type TlsConfig = {
  certFile: string
  keyFile: string
  /** Without it, and with client certificates asked for, they are not checked against anyone. */
  clientCaFile?: string | undefined
  minVersion: TlsVersion
  maxVersion?: TlsVersion | undefined
  requireAndVerifyClientCert: boolean
  disableClientCerts: boolean
  /** OpenSSL's names, those of TLS 1.3 among them. */
  cipherSuites?: string[] | undefined
}

export type ListenerConfig = {
  type: 'tcp'
  /** `''` is every address of the machine, of IPv6 and IPv4. */
  host: string
  /** 0 lets the system choose. */
  port: number
  /** Absent for plain HTTP. */
  tls: TlsConfig | undefined
  requireRequestHeader: boolean
  maxRequestSizeBytes: number
  maxRequestDurationSeconds: number
  maxRequestJsonDepth?: number | undefined
  httpReadHeaderTimeoutSeconds: number
  httpReadTimeoutSeconds: number
  httpIdleTimeoutSeconds: number
  /** Empty: the header is not looked at. */
  xForwardedForAuthorizedAddrs: string[]
  xForwardedForHopSkips: number
  xForwardedForRejectNotPresent: boolean
  xForwardedForRejectNotAuthorized: boolean
  unauthenticatedMetricsAccess: boolean
  customResponseHeaders?: ResponseHeaders | undefined
}

export type ListenerOptions = {
  report: Report
  file: string
  maxRequestDurationSeconds: number
}

/** Needs at least one; a block with a problem is told and left out. */
export function readListeners(
  blocks: readonly Placed[],
  options: ListenerOptions,
): ListenerConfig[] {
  const { report, file } = options
  if (blocks.length === 0) {
    report.problem({ file }, 'no listener is configured', 'listener "tcp" { … }')
  }
  const taken = new Map<string, Placed>()
  const listeners: ListenerConfig[] = []
  for (const placed of blocks) {
    const listener = readListener(placed, options)
    if (listener === undefined) continue
    const address = `${listener.host}:${listener.port}`
    const before = taken.get(address)
    if (before && listener.port !== 0) {
      const where = `${before.file}:${before.item.line}`
      const told = `listener "tcp" has the same address as the one in ${where}`
      report.problem(placeOf(placed), told, 'an address of its own for each')
      continue
    }
    taken.set(address, placed)
    listeners.push(listener)
  }
  return listeners
}

function readListener(placed: Placed, options: ListenerOptions): ListenerConfig | undefined {
  const { report } = options
  const items = inside(placed)
  const [type, ...more] = placed.item.labels
  if (items === undefined || type === undefined || more.length > 0) {
    report.problem(placeOf(placed), '"listener" has another form', 'listener "tcp" { … }')
    return undefined
  }
  const scope = { report, name: `listener ${quoted(type)}`, place: placeOf(placed) }
  if (type !== 'tcp') {
    report.problem(scope.place, `${scope.name} is not in this build`, 'listener "tcp"')
    return undefined
  }
  const found = readTable(LISTENER_KEYS, items, scope)
  const { values } = found
  const tls = readTls(found, scope)
  const duration = values.max_request_duration || options.maxRequestDurationSeconds
  return {
    type,
    ...values.address,
    tls,
    requireRequestHeader: values.require_request_header,
    maxRequestSizeBytes: values.max_request_size || LISTENER_KEYS.max_request_size.fallback,
    maxRequestDurationSeconds: duration,
    maxRequestJsonDepth: values.max_json_depth,
    httpReadHeaderTimeoutSeconds: values.http_read_header_timeout,
    httpReadTimeoutSeconds: values.http_read_timeout,
    httpIdleTimeoutSeconds: values.http_idle_timeout,
    xForwardedForAuthorizedAddrs: values.x_forwarded_for_authorized_addrs ?? [],
    xForwardedForHopSkips: values.x_forwarded_for_hop_skips,
    xForwardedForRejectNotPresent: values.x_forwarded_for_reject_not_present,
    xForwardedForRejectNotAuthorized: values.x_forwarded_for_reject_not_authorized,
    unauthenticatedMetricsAccess: readMetricsAccess(found, scope),
    customResponseHeaders: values.custom_response_headers,
  }
}

type FoundListener = Found<typeof LISTENER_KEYS>

function readTls({ values, given, place }: FoundListener, scope: Scope): TlsConfig | undefined {
  const { report, name } = scope
  const { tls_cert_file: certFile, tls_key_file: keyFile } = values
  const verifies = values.tls_require_and_verify_client_cert
  if (values.tls_disable) {
    if (verifies) {
      const told = `${name} cannot check client certificates without TLS`
      report.problem(place('tls_require_and_verify_client_cert'), told, 'tls_disable = false')
    }
    if (certFile !== undefined || keyFile !== undefined) {
      report.warning(place('tls_disable'), `${name} speaks plain HTTP; its certificate is not used`)
    } else if (!isLoopback(values.address.host)) {
      report.warning(place('tls_disable'), `${name} speaks plain HTTP to other machines`)
    }
    return undefined
  }
  if (verifies && values.tls_disable_client_certs) {
    const told = `${name} both requires client certificates and does not ask for them`
    report.problem(place('tls_disable_client_certs'), told, 'only one of the two')
  }
  if (verifies && !given('tls_client_ca_file')) {
    const told = `${name} would trust client certificates of any public authority`
    report.problem(place('tls_require_and_verify_client_cert'), told, 'tls_client_ca_file')
  }
  if (values.tls_min_version === 'tls13' && values.tls_max_version === 'tls12') {
    const told = `${name} has a newest TLS version older than its oldest`
    report.problem(place('tls_max_version'), told, '"tls13", or tls_min_version = "tls12"')
  }
  if (certFile === undefined || keyFile === undefined) {
    tellMissingCertificate({ certFile, keyFile }, given, scope)
    return undefined
  }
  return {
    certFile,
    keyFile,
    clientCaFile: values.tls_client_ca_file,
    minVersion: values.tls_min_version,
    maxVersion: values.tls_max_version,
    requireAndVerifyClientCert: verifies,
    disableClientCerts: values.tls_disable_client_certs,
    cipherSuites: values.tls_cipher_suites,
  }
}

function tellMissingCertificate(
  files: { certFile: string | undefined; keyFile: string | undefined },
  given: FoundListener['given'],
  { report, name, place }: Scope,
): void {
  const plain = 'tls_disable = true for plain HTTP'
  if (files.certFile !== undefined) {
    report.problem(place, `${name} has no private key`, 'tls_key_file beside tls_cert_file')
  } else if (files.keyFile !== undefined) {
    report.problem(place, `${name} has no certificate`, 'tls_cert_file beside tls_key_file')
  } else if (!given('tls_disable')) {
    const expected = `tls_cert_file and tls_key_file, or ${plain}`
    report.problem(place, `${name} has no certificate`, expected)
  } else {
    report.problem(place, `${name} has no certificate`, 'tls_cert_file and tls_key_file')
  }
}

const isLoopback = (host: string) => /^(?:127\.|::1$|localhost$)/.test(host)

function readMetricsAccess({ blocks }: FoundListener, scope: Scope): boolean {
  const [placed] = blocks('telemetry')
  if (placed === undefined) return false
  const items = inside(placed)
  const name = `telemetry in ${scope.name}`
  if (items === undefined || placed.item.labels.length > 0) {
    scope.report.problem(placeOf(placed), `${name} has another form`, 'telemetry { … }')
    return false
  }
  const inner = { ...scope, name, place: placeOf(placed) }
  return readTable(LISTENER_TELEMETRY_KEYS, items, inner).values.unauthenticated_metrics_access
}
