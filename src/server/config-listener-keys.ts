/** The keys of `listener "tcp"`. */
import { cipherSuites } from './config-ciphers.ts'
import { responseHeaders } from './config-headers.ts'
import { addressBlocks, BadValue, bool, duration, hostPort, integer, path } from './config-kinds.ts'
import { type Kind } from './config-kinds.ts'
import { block, ignored, read, readOr, refused, type Table } from './config-table.ts'

export type TlsVersion = 'tls12' | 'tls13'

const tlsVersion: Kind<TlsVersion> = {
  name: 'string',
  expected: '"tls12" or "tls13"',
  parse(value) {
    if (value === 'tls12' || value === 'tls13') return value
    // Configurations in the field still name them; what they get is better than what they ask.
    if (value === 'tls10' || value === 'tls11') return 'tls12'
    throw new BadValue()
  },
}

/** 2^29: more than a JavaScript string could hold is no limit. */
const REQUEST_BYTES_MAX = 536_870_912
const JSON_DEPTH_MAX = 500

const FROM_PROXY = 'this server would go on to believe the address the connection comes from'
const FOR_CERTIFICATE = 'tls_cert_file and tls_key_file'
const ONE_BUDGET = 'bodies are held to one budget of nesting and number of values'
const NO_SUCH_ENDPOINT = 'there is no such endpoint'

export const LISTENER_TELEMETRY_KEYS = {
  unauthenticated_metrics_access: readOr(
    bool,
    false,
    'Answers `sys/metrics` on this listener without a token.',
  ),
} satisfies Table

export const LISTENER_KEYS = {
  address: readOr(
    hostPort,
    { host: '127.0.0.1', port: 8200 },
    'Where to listen. `:8200` is every address of the machine; port `0` lets the system choose.',
  ),
  tls_disable: readOr(bool, false, 'Plain HTTP. Without it a certificate is required.'),
  tls_cert_file: read(path, 'The certificate in PEM, its chain after it. Read again on SIGHUP.'),
  tls_key_file: read(path, 'The private key of the certificate in PEM. Read again on SIGHUP.'),
  tls_client_ca_file: read(path, 'Authorities that client certificates are checked against.'),
  tls_min_version: readOr(
    tlsVersion,
    'tls12',
    'The oldest TLS version to speak. `tls10` and `tls11` are broken: they mean `tls12` here.',
  ),
  tls_max_version: read(tlsVersion, 'The newest TLS version to speak; without it, the newest.'),
  tls_cipher_suites: read(
    cipherSuites,
    'Suites for TLS 1.2, by their Go names. Those of TLS 1.3 are always on.',
  ),
  tls_require_and_verify_client_cert: readOr(
    bool,
    false,
    'Refuses connections without a client certificate that an authority above has signed.',
  ),
  tls_disable_client_certs: readOr(
    bool,
    false,
    'Does not ask for client certificates; TLS sessions can then be taken up again.',
  ),
  require_request_header: readOr(
    bool,
    false,
    'Refuses requests without `X-Vault-Request: true`, which a web page cannot send by itself.',
  ),
  max_request_size: readOr(
    integer(0, REQUEST_BYTES_MAX),
    33_554_432,
    'The largest request body, in bytes; `0` is the default. It cannot be switched off.',
  ),
  max_request_duration: read(
    duration(0),
    'How long a request may take; `0` and absent is `default_max_request_duration`.',
  ),
  max_json_depth: read(
    integer(1, JSON_DEPTH_MAX),
    'How deep the JSON of a body may nest; without it, the built-in limit.',
  ),
  http_read_header_timeout: readOr(duration(1), 10, 'How long the headers may take to arrive.'),
  http_read_timeout: readOr(duration(1), 30, 'How long a whole request may take to arrive.'),
  http_idle_timeout: readOr(duration(1), 300, 'How long a connection may wait for a request.'),
  x_forwarded_for_authorized_addrs: read(
    addressBlocks,
    'Proxies whose `X-Forwarded-For` header is believed. Turns the header on.',
  ),
  x_forwarded_for_hop_skips: readOr(
    integer(0, 100),
    0,
    'How many addresses to skip from the end of the header.',
  ),
  x_forwarded_for_reject_not_present: readOr(
    bool,
    true,
    'Refuses requests of believed proxies that carry no such header.',
  ),
  x_forwarded_for_reject_not_authorized: readOr(
    bool,
    true,
    'Refuses the header from anyone else; `false` only ignores it.',
  ),
  telemetry: block('telemetry { … }', 0, 'Metrics on this listener.'),
  custom_response_headers: read(
    responseHeaders,
    'Headers for answers, by status: `"default"`, `"2xx"`, `"404"`.',
  ),
  cluster_address: ignored('nodes share their store and do not talk to each other'),
  http_write_timeout: ignored('max_request_duration ends slow requests'),
  tls_prefer_server_cipher_suites: ignored('it has no effect in Vault either'),
  max_request_json_memory: ignored(ONE_BUDGET),
  max_request_json_strings: ignored(ONE_BUDGET),
  max_json_string_value_length: ignored(ONE_BUDGET),
  max_json_object_entry_count: ignored(ONE_BUDGET),
  max_json_array_element_count: ignored(ONE_BUDGET),
  max_json_token: ignored(ONE_BUDGET),
  disable_request_limiter: ignored('requests in flight are always limited'),
  disable_replication_status_endpoints: ignored(NO_SUCH_ENDPOINT),
  profiling: ignored(NO_SUCH_ENDPOINT),
  inflight_requests_logging: ignored(NO_SUCH_ENDPOINT),
  proxy_protocol_behavior: refused(
    FROM_PROXY,
    'it left out, and x_forwarded_for_authorized_addrs for a proxy that sends the header',
  ),
  proxy_protocol_authorized_addrs: refused(
    FROM_PROXY,
    'it left out, and x_forwarded_for_authorized_addrs for a proxy that sends the header',
  ),
  x_forwarded_for_client_cert_header: refused(
    'client certificates are taken from the TLS connection only',
    'it left out, and TLS passed through to this listener',
  ),
  x_forwarded_for_client_cert_decoders: refused(
    'client certificates are taken from the TLS connection only',
    'it left out',
  ),
  x_forwarded_for_client_cert_keep_not_forwarded: refused(
    'client certificates are taken from the TLS connection only',
    'it left out, or false',
    false,
  ),
  x_forwarded_for_client_cert_keep_unauthorized: refused(
    'client certificates are taken from the TLS connection only',
    'it left out, or false',
    false,
  ),
  disable_unauthed_rekey_endpoints: refused(
    'sys/rekey stays open on this listener',
    'it left out, or false, and sys/rekey closed by a proxy',
    false,
  ),
  redact_addresses: refused('addresses would be shown', 'it left out, or false', false),
  redact_cluster_name: refused('the name would be shown', 'it left out, or false', false),
  redact_version: refused('the version would be shown', 'it left out, or false', false),
  chroot_namespace: refused(
    'requests would reach every namespace',
    'it left out, and a proxy that admits only the paths meant',
  ),
  role: refused('this listener would answer every path', 'it left out'),
  tls_acme_ca_directory: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_test_ca_directory: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_cache_path: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_ca_root: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_eab_key_id: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_eab_mac_key: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_email: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_domains: refused('certificates are not fetched', FOR_CERTIFICATE),
  tls_acme_disable_http_challenge: ignored('certificates are not fetched'),
  tls_acme_disable_alpn_challenge: ignored('certificates are not fetched'),
} satisfies Table
