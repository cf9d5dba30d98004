import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { createSecureContext } from 'node:tls'
import { test } from 'node:test'
import { type ConfigError, type ListenerConfig, readConfig } from './config.ts'

const STORAGE = 'storage "inmem" {}\n'
const TLS = 'tls_cert_file = "/c.pem" tls_key_file = "/k.pem"'
const PLAIN = 'tls_disable = true'

function readAll(text: string) {
  return readConfig([{ file: 'a.hcl', text: STORAGE + text }], { env: {} })
}
function read(inside: string): ListenerConfig {
  const [listener] = readAll(`listener "tcp" {\n${inside}\n}`).listeners
  ok(listener)
  return listener
}

const refused: [string, string, RegExp][] = [
  [
    'no certificate',
    '',
    /:2: listener "tcp" has no certificate; expected tls_cert_file and tls_key/,
  ],
  [
    'TLS without files',
    'tls_disable = false',
    /has no certificate; expected tls_cert_file and tls_k/,
  ],
  ['no key', 'tls_cert_file = "/c"', /has no private key; expected tls_key_file beside/],
  ['a key only', 'tls_key_file = "/k"', /has no certificate; expected tls_cert_file beside/],
  ['an unknown version', `${TLS} tls_min_version = "ssl"`, /"tls_min_version" .*has a wrong value/],
  [
    'an upside-down range',
    `${TLS} tls_min_version = "tls13" tls_max_version = "tls12"`,
    /has a newest TLS version older than its oldest; expected "tls13"/,
  ],
  [
    'a weak suite',
    `${TLS} tls_cipher_suites = "TLS_RSA_WITH_RC4_128_SHA"`,
    /not safe enough; expec/,
  ],
  [
    'client certificates both ways',
    `${TLS} tls_client_ca_file = "/a"\ntls_require_and_verify_client_cert = true tls_disable_client_certs = true`,
    /both requires client certificates and does not ask for them; expected only one/,
  ],
  [
    'client certificates of anybody',
    `${TLS} tls_require_and_verify_client_cert = "true"`,
    /of any public authority; expected tls_client_ca_file/,
  ],
  [
    'client certificates without TLS',
    `${PLAIN} tls_require_and_verify_client_cert = true`,
    /cannot check client certificates without TLS; expected tls_disable = false/,
  ],
  ['an ACME directory', `${TLS} tls_acme_email = "a@b"`, /"tls_acme_email" .* is not supported/],
  ['the PROXY protocol', `${PLAIN} proxy_protocol_behavior = "use_always"`, /is not supported: /],
  ['redaction', `${PLAIN} redact_version = "true"`, /"redact_version" .* is not supported/],
  ['a slow header', `${PLAIN} http_read_header_timeout = 0`, /expected a duration: .*at least 1s/],
  [
    'a negative size',
    `${PLAIN} max_request_size = -1`,
    /expected a whole number from 0 to 536870912/,
  ],
  [
    'no proxy address',
    `${PLAIN} x_forwarded_for_authorized_addrs = "a"`,
    /expected a list of IP add/,
  ],
  [
    'a telemetry label',
    `${PLAIN}\ntelemetry "x" {}`,
    /:4: telemetry in listener "tcp" has another/,
  ],
  [
    'a telemetry key',
    `${PLAIN}\ntelemetry { x = 1 }`,
    /unknown key "x" in telemetry in listener "tc/,
  ],
  [
    'headers by name',
    `${PLAIN} custom_response_headers { "X-A" = ["a"] }`,
    /expected maps of head/,
  ],
  [
    'a header with a line break',
    `${PLAIN} custom_response_headers { "default" = { "X-A" = ["a\\nb"] } }`,
    /expected maps of headers by status/,
  ],
  [
    'a header name with a blank',
    `${PLAIN} custom_response_headers { "default" = { "X A" = ["a"] } }`,
    /expected maps of headers by status/,
  ],
  [
    'a number as header',
    `${PLAIN} custom_response_headers { "default" = { "X-A" = [1] } }`,
    /expected maps of headers by status/,
  ],
  [
    'a header without value',
    `${PLAIN} custom_response_headers { "default" = { "X-A" = [] } }`,
    /expected maps of headers by status/,
  ],
  [
    'two maps of headers for a status',
    `${PLAIN} custom_response_headers { "default" = [{ "X-A" = "a" }, { "X-B" = "b" }] }`,
    /expected maps of headers by status/,
  ],
  [
    'a header twice',
    `${PLAIN} custom_response_headers { "2xx" = { "X-A" = "a" "x-a" = "b" } }`,
    /expected maps of headers by status/,
  ],
  [
    "a header of the server's own",
    `${PLAIN} custom_response_headers { "2xx" = { "x-vault-a" = "a" } }`,
    /sets a header that the server sets itself/,
  ],
]

for (const [what, inside, problem] of refused) {
  test(`readConfig() refuses a listener with ${what}`, () => {
    throws(
      () => read(inside),
      (error: ConfigError) => {
        equal(error.problems.length, 1, error.message)
        ok(problem.test(error.message), error.message)
        return true
      },
    )
  })
}

test('readConfig() refuses other listeners, and an address twice', () => {
  const block = (address: string) => `listener "tcp" { address = "${address}" ${PLAIN} }\n`
  throws(
    () => readAll('listener "unix" { address = "/s" }'),
    /listener "unix" is not in this build/,
  )
  throws(() => readAll('listener { }'), /:2: "listener" has another form; expected listener "tcp"/)
  throws(
    () => readAll(block(':1') + block(':1')),
    /:3: listener "tcp" has the same address as .*:2;/,
  )
  equal(
    readAll(block(':0') + block(':0') + block('[::1]:1') + block('[::2]:1')).listeners.length,
    4,
  )
})

const wrongAddresses = [
  '127.0.0.1',
  '::1:8200',
  '[::1]',
  '[127.0.0.1]:1',
  '[x]:1',
  '999.1.1.1:8200',
  'a b:1',
  '-a:1',
  'a:65536',
  'a:08',
  'a:-1',
  'a:http',
  'http://a:1',
  '{{ GetPrivateIP }}:8200',
]
for (const address of wrongAddresses) {
  test(`readConfig() refuses the address ${address}`, () => {
    throws(
      () => read(`address = ${JSON.stringify(address)} ${PLAIN}`),
      (error: Error) => error.message.startsWith('a.hcl:3: "address" in listener "tcp" '),
    )
  })
}

const addresses: [string, string, number][] = [
  ['127.0.0.1:8200', '127.0.0.1', 8200],
  ['[::1]:8200', '::1', 8200],
  ['[::]:8200', '::', 8200],
  [':8200', '', 8200],
  ['0.0.0.0:0', '0.0.0.0', 0],
  ['localhost:65535', 'localhost', 65_535],
  ['vault-1.example.com:443', 'vault-1.example.com', 443],
]
for (const [address, host, port] of addresses) {
  test(`readConfig() takes the address ${address}`, () => {
    const listener = read(`address = "${address}" ${PLAIN}`)
    deepEqual([listener.host, listener.port], [host, port])
  })
}

test('readConfig() reads every key of a listener', () => {
  const listener = read(`
    address = "0.0.0.0:8300"
    ${TLS} tls_client_ca_file = "/ca.pem"
    tls_min_version = "tls12" tls_max_version = "tls13"
    tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256"
    tls_require_and_verify_client_cert = "true"
    require_request_header = true
    max_request_size = 1024  max_request_duration = "5s"  max_json_depth = 32
    http_read_header_timeout = "1s"  http_read_timeout = 2  http_idle_timeout = "3m"
    x_forwarded_for_authorized_addrs = "10.0.0.0/8, ::1"
    x_forwarded_for_hop_skips = "1"
    x_forwarded_for_reject_not_present = "false"
    x_forwarded_for_reject_not_authorized = false
    telemetry { unauthenticated_metrics_access = "true" }
    custom_response_headers {
      "default" = { "Strict-Transport-Security" = ["max-age=1", "includeSubDomains"] }
      "4xx" = { "X-A" = "a" }
    }`)
  deepEqual(listener, {
    type: 'tcp',
    host: '0.0.0.0',
    port: 8300,
    tls: {
      certFile: '/c.pem',
      keyFile: '/k.pem',
      clientCaFile: '/ca.pem',
      minVersion: 'tls12',
      maxVersion: 'tls13',
      requireAndVerifyClientCert: true,
      disableClientCerts: false,
      cipherSuites: [
        'ECDHE-RSA-AES128-GCM-SHA256',
        'TLS_AES_128_GCM_SHA256',
        'TLS_AES_256_GCM_SHA384',
        'TLS_CHACHA20_POLY1305_SHA256',
      ],
    },
    requireRequestHeader: true,
    maxRequestSizeBytes: 1024,
    maxRequestDurationSeconds: 5,
    maxRequestJsonDepth: 32,
    httpReadHeaderTimeoutSeconds: 1,
    httpReadTimeoutSeconds: 2,
    httpIdleTimeoutSeconds: 180,
    xForwardedForAuthorizedAddrs: ['10.0.0.0/8', '::1'],
    xForwardedForHopSkips: 1,
    xForwardedForRejectNotPresent: false,
    xForwardedForRejectNotAuthorized: false,
    unauthenticatedMetricsAccess: true,
    customResponseHeaders: {
      default: { 'Strict-Transport-Security': ['max-age=1', 'includeSubDomains'] },
      '4xx': { 'X-A': ['a'] },
    },
  })
})

test('readConfig() names cipher suites as a TLS context takes them', () => {
  const go = ['RSA_WITH_AES_256_GCM_SHA384', 'ECDSA_WITH_AES_128_GCM_SHA256']
    .concat(['ECDSA_WITH_AES_256_GCM_SHA384', 'RSA_WITH_CHACHA20_POLY1305'])
    .concat(['RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDSA_WITH_CHACHA20_POLY1305_SHA256'])
  const names = JSON.stringify(go.map((name) => `TLS_ECDHE_${name}`))
  const suites = read(`${TLS} tls_cipher_suites = ${names}`).tls?.cipherSuites
  equal(suites?.length, 8)
  createSecureContext({ ciphers: suites?.join(':') ?? 'none' })
})

test('readConfig() takes a single TLS version', () => {
  const range = 'tls_min_version = "tls13" tls_max_version = "tls13"'
  const { tls } = read(`${TLS} ${range}`)
  deepEqual([tls?.minVersion, tls?.maxVersion], ['tls13', 'tls13'])
})

test('readConfig() takes the defaults for 0, where 0 means the default', () => {
  const listener = read(`${PLAIN} max_request_size = 0 max_request_duration = 0`)
  equal(listener.maxRequestSizeBytes, 33_554_432)
  equal(listener.maxRequestDurationSeconds, 90)
})

const plain: [string, RegExp | undefined][] = [
  ['', undefined],
  ['address = "[::1]:1"', undefined],
  ['address = "localhost:1"', undefined],
  ['address = ":1"', /a\.hcl:3: listener "tcp" speaks plain HTTP to other machines$/],
  [TLS, /a\.hcl:3: listener "tcp" speaks plain HTTP; its certificate is not used$/],
  [
    'tls_key_file = "/k"',
    /a\.hcl:3: listener "tcp" speaks plain HTTP; its certificate is not used$/,
  ],
]
for (const [more, warning] of plain) {
  test(`readConfig() ${warning ? 'warns of' : 'accepts'} plain HTTP with ${more || 'defaults'}`, () => {
    const { warnings } = readAll(`listener "tcp" {\n${PLAIN}\n${more}\n}`)
    equal(warnings.length, warning ? 1 : 0)
    if (warning) ok(warning.test(warnings[0] ?? ''), String(warnings[0]))
  })
}

test('readConfig() reads several listeners out of JSON', () => {
  const text = `{"storage": {"inmem": {}}, "listener": [
    {"tcp": {"address": ":1", "tls_disable": "true", "telemetry": [{"unauthenticated_metrics_access": 1}]}},
    {"tcp": {"address": ":2", "tls_disable": true}}]}`
  const { listeners } = readConfig([{ file: 'a.json', text }], { env: {} })
  deepEqual(
    listeners.map(({ port, unauthenticatedMetricsAccess }) => [port, unauthenticatedMetricsAccess]),
    [
      [1, true],
      [2, false],
    ],
  )
})
