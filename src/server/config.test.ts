import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CONFIG_TABLES } from './config-keys.ts'
import { ConfigError, readConfig, type ServerConfig } from './config.ts'

const read = (text: string, env: Record<string, string> = {}): ServerConfig =>
  readConfig([{ file: 'a.hcl', text }], { env })
const STORAGE = 'storage "inmem" {}\n'
const LISTENER = 'listener "tcp" { tls_disable = true }\n'
const BASE = STORAGE + LISTENER

/** The only problem that this text has. */
function problemOf(text: string, env: Record<string, string> = {}): string {
  try {
    read(text, env)
  } catch (error) {
    ok(error instanceof ConfigError)
    equal(error.problems.length, 1, error.message)
    return error.message
  }
  throw new Error('expected a ConfigError')
}

const refused: [string, string, RegExp][] = [
  ['a text that is not HCL', 'storage = {', /^a\.hcl:1: this is not HCL or JSON; expected '\}'/],
  ['an endless string', 'x = 1\ny = "a', /^a\.hcl:2: this is not HCL or JSON; expected '"'/],
  ['a number that is too large', 'workers = 99999999999999999999', /:1: number is too large; /],
  ['no storage', LISTENER, /^a\.hcl: no storage is configured; expected storage "sqlite"/],
  ['no listener', STORAGE, /^a\.hcl: no listener is configured; expected listener "tcp"/],
  ['an unknown key', `${BASE}workes = 2`, /^a\.hcl:3: unknown key "workes"; expected "workers"$/m],
  [
    'a strange key',
    `${BASE}qqqqqqqq = 2`,
    /unknown key "qqqqqqqq"; expected one of api_addr, audit/,
  ],
  ['a key out of Object', `${BASE}constructor = 2`, /unknown key "constructor"/],
  ['a key twice', `${BASE}ui = true\nui = false`, /:4: "ui" is given twice, first on line 3; /],
  ['a block for a value', `${BASE}ui {}`, /:3: "ui" has a wrong value \(a block\); expected true/],
  ['a label for a value', `${BASE}ui "x" {}`, /:3: "ui" is a block with a label; expected true/],
  ['a text for a bool', `${BASE}ui = "yes"`, /"ui" has a wrong value \(a string\); expected true/],
  [
    'a list for a text',
    `${BASE}cluster_name = ["a"]`,
    /"cluster_name" has a wrong value \(a list\)/,
  ],
  ['no worker', `${BASE}workers = 0`, /"workers" has .*; expected a whole number from 1 to 64/],
  ['too many workers', `${BASE}workers = 65`, /expected a whole number from 1 to 64/],
  ['half a worker', `${BASE}workers = 1.5`, /expected a whole number from 1 to 64/],
  [
    'workers in memory',
    `${BASE}workers = 2`,
    /:3: "workers" .* memory .*; expected storage "sqlite"/,
  ],
  [
    'a bad duration',
    `${BASE}max_lease_ttl = "1x"`,
    /"max_lease_ttl" has .*; expected a duration: /,
  ],
  ['a negative duration', `${BASE}max_lease_ttl = "-1h"`, /expected a duration/],
  [
    'a default above the maximum',
    `${BASE}max_lease_ttl = "1h"\ndefault_lease_ttl = "2h"`,
    /:4: "default_lease_ttl" is longer than "max_lease_ttl"; expected a shorter/,
  ],
  [
    'an unknown level',
    `${BASE}log_level = "loud"`,
    /one of "trace", "debug", "info", "warn", "err/,
  ],
  ['an unknown format', `${BASE}log_format = "xml"`, /expected one of "standard", "json"/],
  ['an address without scheme', `${BASE}api_addr = "a:8200"`, /"api_addr" .*; expected a URL such/],
  ['another scheme', `${BASE}api_addr = "ftp://a"`, /expected a URL such as/],
  ['a password in a URL', `${BASE}api_addr = "http://u:p@a"`, /expected a URL such as/],
  [
    'a template',
    `${BASE}api_addr = "http://{{ GetPrivateIP }}"`,
    /template.*; expected the address/,
  ],
  ['a NUL in a path', `${BASE}pid_file = "a\\0000"`, /"pid_file" has a wrong value \(a string\)/],
  [
    'a telemetry label',
    `${BASE}telemetry "x" {}`,
    /:3: "telemetry" has another form; expected tel/,
  ],
  ['an unknown telemetry key', `${BASE}telemetry { x = 1 }`, /unknown key "x" in telemetry/],
  [
    'entropy',
    `${BASE}entropy "seal" {}`,
    /:3: "entropy" is not supported: .*; expected it left out/,
  ],
  ['self-initialization', `${BASE}initialize "x" {}`, /"initialize" is not supported: /],
  ['a lockout of what has none', `${BASE}user_lockout "jwt" {}`, /:3: "user_lockout" has another/],
  [
    'a lockout after no failure',
    `${BASE}user_lockout "all" { lockout_threshold = 0 }`,
    /"lockout_threshold" in user_lockout "all"/,
  ],
  [
    'a closed audit API',
    `${BASE}unsafe_allow_api_audit_creation = false`,
    /expected it left out, or true/,
  ],
  [
    'storage of Vault',
    `storage "raft" {}\n${LISTENER}`,
    /:1: storage "raft" is not in this build; /,
  ],
  ['storage without type', `storage {}\n${LISTENER}`, /:1: "storage" has another form; expected/],
  ['storage as a map', `backend = { inmem = {} }\n${LISTENER}`, /:1: "backend" has another form/],
  ['two labels', `storage "a" "b" {}\n${LISTENER}`, /:1: "storage" has another form/],
  ['two stores', `${BASE}backend "inmem" {}`, /:3: storage is given twice, first on line 1; /],
  [
    'sqlite without path',
    `storage "sqlite" {}\n${LISTENER}`,
    /:1: "path" in storage "sqlite" is mi/,
  ],
  [
    'an empty path',
    `storage "file" { path = "" }\n${LISTENER}`,
    /"path" in storage "file" is missi/,
  ],
  [
    'a key in memory',
    `storage "inmem" { path = "a" }\n${LISTENER}`,
    /"path" in .*; expected an emp/,
  ],
  [
    'a seal of Vault',
    `${BASE}seal "awskms" {}`,
    /:3: seal "awskms" is not in this build; expected/,
  ],
  [
    'two seals',
    `${BASE}seal "shamir" {}\nseal "shamir" {}`,
    /:4: a second seal is given; expected/,
  ],
  ['a seal migration', `${BASE}seal "shamir" { disabled = "true" }`, /"disabled" .* not supported/],
  ['an audit map', `${BASE}audit = "file"`, /:3: "audit" has another form; expected audit "file"/],
  ['three audit labels', `${BASE}audit "file" "a" "b" {}`, /:3: "audit" has another form/],
  [
    'an audit path twice',
    `${BASE}audit "a" "x" {}\naudit "b" "x/" {}`,
    /:4: audit device "x\/" is /,
  ],
  ['two audit paths', `${BASE}audit "file" "a" { path = "b" }`, /has a second path; expected the/],
  [
    'an audit path with dots',
    `${BASE}audit "file" "a/../b" {}`,
    /has a wrong path; expected letters/,
  ],
  [
    'deep audit options',
    `${BASE}audit "file" "a" { options { a = [] } }`,
    /block or map of strings/,
  ],
]

for (const [what, text, problem] of refused) {
  test(`readConfig() refuses ${what}`, () => {
    const message = problemOf(text)
    ok(problem.test(message), message)
    ok(/; expected /.test(message))
  })
}

test('readConfig() tells every problem, from the top of the file', () => {
  const text = 'ui = 3\nstorage "raft" {}\nlistener "tcp" {\n  adress = 1\n}\nworkers = "x"'
  throws(
    () => read(text),
    (error: ConfigError) => {
      deepEqual(
        error.message.split('\n').map((line) => line.split(' ')[0]),
        ['a.hcl:1:', 'a.hcl:2:', 'a.hcl:3:', 'a.hcl:4:', 'a.hcl:6:'],
      )
      return true
    },
  )
})

test('readConfig() refuses each key that must not be ignored, in every table', () => {
  for (const { form, table } of CONFIG_TABLES) {
    for (const [name, key] of Object.entries(table)) {
      if (key.use !== 'refused') continue
      const given = key.harmless === undefined ? '"CANARY"' : String(!key.harmless)
      const inner = `${name} = ${given}`
      const text = form === '' ? `${BASE}${inner}` : `${STORAGE}${form} {\n ${inner}\n}`
      throws(
        () => read(text),
        (error: ConfigError) =>
          error.message.includes(`"${name}"`) &&
          error.message.includes('is not supported') &&
          !error.message.includes('CANARY'),
        `${form} ${name}`,
      )
    }
  }
})

test('readConfig() keeps an error readable when a key is endless', () => {
  const message = problemOf(`${BASE}"${'workers\\n'.repeat(100_000)}" = 1`)
  ok(message.startsWith('a.hcl:3: unknown key "workers\\nworkers'))
  ok(message.length < 1000 && !message.includes('\n'), message.slice(0, 1000))
})

test('readConfig() refuses a variable with a wrong value, and does not show it', () => {
  const message = problemOf(BASE, { VAULT_LOG_LEVEL: 'CANARY' })
  equal(
    message,
    'VAULT_LOG_LEVEL: the variable has a wrong value (a string); expected one of "trace", "debug",' +
      ' "info", "warn", "error"',
  )
})

test('readConfig() shows no value in an error, whichever key it stands at', () => {
  const told: string[] = []
  for (const { form, table } of CONFIG_TABLES.filter((each) => !each.form.includes('inside'))) {
    for (const [name, key] of Object.entries(table)) {
      if (key.use === 'block') continue
      const label = form.replace('<type>', 'file').replace('<path>', 'x')
      for (const value of ['"CANARY"', '["CANARY"]', '{ a = "CANARY" }', '{ a = ["CANARY"] }']) {
        const text = `${form === '' ? '' : `${label} {`}\n${name} = ${value}\n${form === '' ? '' : '}'}`
        try {
          read(text)
        } catch (error) {
          ok(error instanceof ConfigError)
          told.push(error.message)
        }
      }
    }
  }
  ok(told.length > 200)
  deepEqual(
    told.filter((message) => message.includes('CANARY')),
    [],
  )
})

test('readConfig() throws nothing but ConfigError, whatever the text', () => {
  const keys = CONFIG_TABLES.flatMap(({ table }) => Object.keys(table))
  const word = fc.oneof(
    fc.constantFrom('tcp', 'static', 'shamir', 'inmem', 'sqlite', 'file', '__proto__', ''),
    fc.string({ unit: 'binary', maxLength: 8 }),
  )
  const value: fc.Arbitrary<string> = fc.oneof(
    fc
      .oneof(word, fc.constantFrom('env://X', 'file:///', '::1:1', '[::1]:1', '1h'))
      .map((text) => JSON.stringify(text)),
    fc.constantFrom('true', '0', '-1', '1.5', '[]', '{}', '[{}]', '{ a = 1 }', '[["a"], 1]'),
  )
  const item = fc
    .tuple(fc.constantFrom(...keys), value)
    .map(([name, text]) => `${name} = ${text}\n`)
  const body = fc.array(item, { maxLength: 8 }).map((items) => items.join(''))
  const blockText = fc
    .tuple(
      fc.constantFrom('storage', 'listener', 'seal', 'audit', 'telemetry'),
      fc.array(word),
      body,
    )
    .map(([name, labels, text]) => {
      return `${name} ${labels.map((label) => JSON.stringify(label)).join(' ')} {\n${text}}\n`
    })
  const parts = fc.oneof({ weight: 4, arbitrary: blockText }, body, fc.string())
  const text = fc.oneof(
    fc.array(parts, { maxLength: 6 }).map((all) => all.join('')),
    fc.json(),
    fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()).map((all) => JSON.stringify(all)),
  )
  fc.assert(
    fc.property(text, (input) => {
      try {
        read(input)
      } catch (error) {
        ok(error instanceof ConfigError, String(error))
      }
    }),
    { numRuns: 1500 },
  )
})

test('readConfig() fills every default', () => {
  deepEqual(read(`storage "inmem" {}\nlistener "tcp" { tls_disable = 1 }`), {
    storage: { type: 'inmem' },
    listeners: [
      {
        type: 'tcp',
        host: '127.0.0.1',
        port: 8200,
        tls: undefined,
        requireRequestHeader: false,
        maxRequestSizeBytes: 33_554_432,
        maxRequestDurationSeconds: 90,
        maxRequestJsonDepth: undefined,
        httpReadHeaderTimeoutSeconds: 10,
        httpReadTimeoutSeconds: 30,
        httpIdleTimeoutSeconds: 300,
        xForwardedForAuthorizedAddrs: [],
        xForwardedForHopSkips: 0,
        xForwardedForRejectNotPresent: true,
        xForwardedForRejectNotAuthorized: true,
        unauthenticatedMetricsAccess: false,
        customResponseHeaders: undefined,
      },
    ],
    seal: { type: 'shamir' },
    defaultLeaseTtlSeconds: 2_764_800,
    maxLeaseTtlSeconds: 2_764_800,
    apiAddr: undefined,
    clusterAddr: undefined,
    clusterName: undefined,
    pidFile: undefined,
    logLevel: 'info',
    logFormat: 'standard',
    logFile: undefined,
    audit: [],
    workers: 1,
    ui: false,
    disableMlock: false,
    rawStorageEndpoint: false,
    telemetry: { prometheusRetentionSeconds: 86_400, disableHostname: false },
    userLockout: {},
    warnings: [],
  })
})

test('readConfig() reads every key at the top', () => {
  const config = read(`
    storage "sqlite" { path = "/var/lib/coffer/data.db" }
    listener "tcp" { tls_disable = "true" }
    seal "shamir" {}
    api_addr = "https://vault.example.com:8200"
    cluster_addr = "https://10.0.0.1:8201"
    cluster_name = "main"
    default_lease_ttl = "1h"   max_lease_ttl = 7200
    default_max_request_duration = "30s"
    log_level = "Warning"  log_format = "json"  log_file = "/var/log/coffer.log"
    pid_file = "coffer.pid"
    ui = "1"  workers = "4"  disable_mlock = true  raw_storage_endpoint = true
    telemetry { prometheus_retention_time = "30s"  disable_hostname = true }
    user_lockout "all" { lockout_threshold = "3"  disable_lockout = false }
    user_lockout "ldap" { lockout_duration = "10m"  lockout_counter_reset = 60 }
  `)
  deepEqual(config.storage, { type: 'sqlite', path: '/var/lib/coffer/data.db' })
  equal(config.listeners[0]?.maxRequestDurationSeconds, 30)
  equal(config.apiAddr, 'https://vault.example.com:8200')
  equal(config.clusterAddr, 'https://10.0.0.1:8201')
  equal(config.clusterName, 'main')
  equal(config.defaultLeaseTtlSeconds, 3600)
  equal(config.maxLeaseTtlSeconds, 7200)
  deepEqual([config.logLevel, config.logFormat], ['warn', 'json'])
  equal(config.logFile, '/var/log/coffer.log')
  equal(config.pidFile, `${process.cwd()}/coffer.pid`)
  deepEqual(
    [config.ui, config.workers, config.disableMlock, config.rawStorageEndpoint],
    [true, 4, true, true],
  )
  deepEqual(config.telemetry, { prometheusRetentionSeconds: 30, disableHostname: true })
  deepEqual(JSON.parse(JSON.stringify(config.userLockout)), {
    all: { lockout_threshold: 3, lockout_disable: false },
    ldap: { lockout_duration: 600, lockout_counter_reset: 60 },
  })
  deepEqual(config.warnings, [])
})

test('readConfig() reads the files other projects test with', () => {
  const hcl = read(`
    backend "inmem" {
    }
    listener "tcp" {
      address = "127.0.0.1:8200"
      tls_cert_file = "/certs/server-cert.pem"
      tls_key_file  = "/certs/server-key.pem"
    }
    disable_mlock = true
    default_lease_ttl = "768h"
    max_lease_ttl = "768h"
  `)
  const json = read(`{
    "backend": {"inmem": {}},
    "listener": {"tcp": {"address": "127.0.0.1:8200",
      "tls_cert_file": "/certs/server-cert.pem", "tls_key_file": "/certs/server-key.pem"}},
    "disable_mlock": true, "default_lease_ttl": "768h", "max_lease_ttl": "768h"
  }`)
  deepEqual(hcl, json)
  equal(hcl.listeners[0]?.tls?.certFile, '/certs/server-cert.pem')
  equal(hcl.defaultLeaseTtlSeconds, 2_764_800)
  deepEqual(hcl.warnings, [])
})

test('readConfig() keeps "file" as a database in the folder', () => {
  const { storage } = read(`storage "file" { path = "/data" }\n${LISTENER}`)
  deepEqual(storage, { type: 'sqlite', path: '/data/coffer.db' })
})

test('readConfig() reads audit devices in each form', () => {
  const stdout = {
    type: 'file',
    path: 'to-stdout/',
    description: 'd',
    options: { a: 'b', c: 'true' },
  }
  const hcl = `audit "file" "to-stdout" { description = "d" options { a = "b" c = true } }`
  deepEqual(read(BASE + hcl).audit, [stdout])
  const oneLabel = `audit "file" { path = "to-stdout/" description = "d" options = { a = "b" c = "true" } }`
  deepEqual(read(BASE + oneLabel).audit, [stdout])
  const device = '{"description": "d", "options": {"a": "b", "c": true}}'
  const rest = '"storage": {"inmem": {}}, "listener": [{"tcp": {"tls_disable": true}}]'
  deepEqual(read(`{${rest}, "audit": [{"file": {"to-stdout": ${device}}}]}`).audit, [stdout])
  deepEqual(read(`{${rest}, "audit": {"file": ${device}}}`).audit, [{ ...stdout, path: 'file/' }])
  deepEqual(read(`{${rest}, "audit": {"file": {"options": {"a": 1}}}}`).audit, [
    { type: 'file', path: 'file/', description: '', options: { a: '1' } },
  ])
})

test('readConfig() warns of what it ignores, and starts', () => {
  const text = `${BASE}ha_storage "consul" { token = "CANARY" }\nplugin_directory = "CANARY"
    telemetry { circonus_api_token = "CANARY" }`
  const { warnings } = read(text)
  deepEqual(
    warnings.map((line) => line.split(' is ignored: ')[0]),
    [
      'a.hcl:3: "ha_storage"',
      'a.hcl:4: "plugin_directory"',
      'a.hcl:5: "circonus_api_token" in telemetry',
    ],
  )
  ok(!warnings.join('').includes('CANARY'))
})

test('readConfig() takes refused keys that ask for what it does anyway', () => {
  read(`${BASE}enable_multiseal = false\nunsafe_allow_api_audit_creation = "true"\nentropy = ""`)
})

test('readConfig() takes empty texts and null as not given', () => {
  const config = read(
    '{"storage":{"inmem":{}},"listener":{"tcp":{"tls_disable":true,"address":""}},' +
      '"api_addr":"","log_level":null,"max_lease_ttl":""}',
  )
  equal(config.apiAddr, undefined)
  equal(config.logLevel, 'info')
  equal(config.listeners[0]?.port, 8200)
})

test('readConfig() lets a shorter maximum shorten a default that is not set', () => {
  equal(read(`${BASE}max_lease_ttl = "1h"`).defaultLeaseTtlSeconds, 3600)
  equal(read(`${BASE}max_lease_ttl = "1000h"`).defaultLeaseTtlSeconds, 2_764_800)
  equal(read(`${BASE}max_lease_ttl = 0`).maxLeaseTtlSeconds, 2_764_800)
})

test('readConfig() lets variables win over files', () => {
  const text = `${BASE}log_level = "error"\napi_addr = "http://a:1"\ncluster_addr = "http://a:2"`
  const env = {
    VAULT_LOG_LEVEL: 'debug',
    VAULT_API_ADDR: 'https://b:1',
    VAULT_CLUSTER_ADDR: 'https://b:2',
  }
  const config = read(text, env)
  equal(config.logLevel, 'debug')
  equal(config.apiAddr, 'https://b:1')
  equal(config.clusterAddr, 'https://b:2')
  equal(read(text, { ...env, COFFER_LOG_LEVEL: 'trace' }).logLevel, 'trace')
  equal(read(text, { VAULT_LOG_LEVEL: '' }).logLevel, 'error')
})
