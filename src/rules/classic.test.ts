/**
 * What everybody tries first on a scanner of commits. Names and values are put together here, so that
 * this file holds none of them.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { compileRules } from './matcher.ts'

const matcher = compileRules()
const ids = (text: string, path = 'config.py') =>
  matcher.find(text, { path }).map(({ rule }) => rule.id)
const header = (kind: string) => ['-----BEGIN ', kind, 'PRIVATE KEY-----'].join('')
const footer = (kind: string) => header(kind).replace('BEGIN', 'END')

const PASSWORDS = [
  ['hunter', '2'],
  ['SuperSecret', '123!'],
  ['correct', '-horse'],
  ['p@ss', 'w0rd'],
  ['letmein', '123'],
  ['S3cure', '#Pass'],
  ['mySecret', 'Pass1'],
  ['admin', '123'],
  ['1234', '56'],
  ['qwerty', '123'],
  ['Password', '1!'],
  ['super', 'secret'],
].map((parts) => parts.join(''))
const SECRETS = [
  ['mysecret', 'value'],
  ['s3cr3t-', 'v4lue'],
  ['topsecret', '99'],
  ['abcdef', '1234567890'],
  ['abcdef', '0123456789'],
  ['1234567890', 'abcdef'],
  ['sk-test-', '1234567890'],
  ['abcd1234', 'efgh5678'],
  ['xyz789', 'abc456'],
  ['AIza-fake-', 'key-123'],
  ['tok_', '1234567890'],
].map((parts) => parts.join(''))

/** Ways to assign a value, by language; `K` is the name. */
const QUOTED = [
  (name: string, value: string) => `${name} = "${value}"`,
  (name: string, value: string) => `${name} = '${value}'`,
  (name: string, value: string) => `const ${name} = '${value}';`,
  (name: string, value: string) => `let ${name}: string = "${value}"`,
  (name: string, value: string) => `${name} := "${value}"`,
  (name: string, value: string) => `'${name}' => '${value}',`,
  (name: string, value: string) => `:${name} => "${value}"`,
  (name: string, value: string) => `{"${name}": "${value}"}`,
  (name: string, value: string) => `  ${name}: "${value}"\n`,
  (name: string, value: string) => `connect(host, ${name}="${value}", port=1)`,
  (name: string, value: string) => `this.${name} = "${value}"`,
  (name: string, value: string) => `config['${name}'] = '${value}'`,
  (name: string, value: string) => `private static final String ${name} = "${value}";`,
  (name: string, value: string) => `export ${name}='${value}'\n`,
  (name: string, value: string) => `run --${name}="${value}"`,
]
const BARE = [
  (name: string, value: string) => `A=1\n${name}=${value}\nB=2\n`,
  (name: string, value: string) => `export ${name}=${value}\n`,
  (name: string, value: string) => `ENV ${name}=${value}\n`,
  (name: string, value: string) => `    - ${name}=${value}\n`,
  (name: string, value: string) => `db:\n  ${name}: ${value}\n  host: h\n`,
  (name: string, value: string) => `db:\n  ${name}: ${value} # for now\n`,
  (name: string, value: string) => `[db]\r\n${name} = ${value}\r\n`,
  (name: string, value: string) => `<${name}>${value}</${name}>`,
]

test('a password or a secret in clear is found in every language', () => {
  for (const [names, values] of [
    [['password', 'PASSWORD', 'db_password', 'dbPassword', 'Password'], PASSWORDS],
    [['secret', 'token', 'apikey', 'api_key', 'API_KEY', 'auth_token', 'clientSecret'], SECRETS],
  ] as const) {
    for (const value of values) {
      for (const name of names) {
        for (const write of QUOTED) equal(ids(write(name, value)).length, 1, write(name, value))
        const bare = value === ['correct', '-horse'].join('') ? [] : BARE
        for (const write of bare) equal(ids(write(name, value)).length, 1, write(name, value))
      }
    }
  }
})

test('what is written beside such names and is no secret is not found', () => {
  for (const value of [
    'changeme',
    'password',
    'new-password',
    'client_secret',
    'identifier',
    'none',
    'required',
    'Enter your password:',
    'Forgot your password?',
    '${PASSWORD_2}',
    '$PASSWORD2',
    '{{ password_2 }}',
    '%(password2)s',
    '<password-2>',
    'https://h2.org/p4',
    '/run/secrets/db_2',
    './key-23.txt',
    'process.env.PASSWORD',
    'DB_PASSWORD_V2',
    'keyword.control',
    'xxxxxxxx',
    '********',
    'sha256',
    'base64url',
    'utf-16le',
    '2026-11-23',
    'ann@corp2.org',
    'a-long-secret',
    'set-by-hand',
    'canary-1',
    'step-1-of-2',
    'password1',
    'access-token-2',
    'mypassword',
    'carol-password',
    'shared-with-server',
    'vault://secret/app2#pw',
  ]) {
    for (const name of ['password', 'secret', 'token', 'api_key'])
      for (const write of QUOTED) deepEqual(ids(write(name, value)), [], write(name, value))
  }
})

test('without quotes only lines of settings count, and only an assignment does', () => {
  const value = ['hunter', '2'].join('')
  for (const text of [
    `f(password=${value}, x)`,
    `if (password == "${value}") return`,
    `password !== "${value}"`,
    `x.password = ${value}.text`,
    `password = ${value}(y)`,
    `password = ${value} + z`,
    `the password: ${value} is old`,
    `password = "${value}" + rest`,
    `a.html?password=${value}&b=1`,
    `password_file = "${value}"`,
    `passwordHint: "${value}"`,
  ])
    deepEqual(ids(text), [], text)
})

test('names that hold no secret, and values that were made to be seen, are not found', () => {
  const drawn = ['abcd1234', 'efgh5678'].join('')
  equal(ids(`api_key = "${drawn}"`).length, 1)
  for (const name of ['csrf_token', 'next_page_token', 'LABEL_STUDIO_API_KEY', 'publicToken'])
    deepEqual(ids(`${name} = "${drawn}"`), [], name)
  for (const value of [
    ['sdlfkj', '452'],
    ['h480djs', '93hd8'],
    ['0685bd91', '84jfhq22'],
  ])
    deepEqual(ids(`token = "${value.join('')}"`), [], value.join(''))
  const shown = ['gho', '16C7e42F292c6912E7710c838347Ae178B4a'].join('_')
  deepEqual(ids(`{"access_token":"${shown}","scope":"repo","token_type":"bearer"}`), [])
  equal(ids(`{"access_token":"${shown}"}`).length, 1)
})

test('the header of a private key is found with a short body, a made up one, or none', () => {
  for (const kind of ['', 'RSA ', 'EC ', 'DSA ', 'OPENSSH ', 'ENCRYPTED ']) {
    const begin = header(kind)
    for (const text of [
      begin,
      `${begin}\n`,
      `a: 1\n${begin}\nabc\n`,
      `${begin}\nMIIEpAIBAAKCAQEA\n${footer(kind)}`,
      `${begin}\r\nMIIEpAIBAAKCAQEA\r\n${footer(kind)}\r\n`,
      `${begin}\nMIIEpAIBAAKCAQEA...\n${footer(kind)}`,
      `key = "${begin}\\nMIIE1234\\n${footer(kind)}\\n"`,
      `key = """${begin}\nabcdef\n${footer(kind)}"""`,
      `key = "${begin}\\n" +\n  "MIIE1234\\n"`,
      `tls:\n  key: |\n    ${begin}\n    fakekeydata\n    ${footer(kind)}\n`,
      `{"key":"${begin}\\nMIIE\\n"}`,
      `+${begin}\n+MHcCAQEE\n`,
      `KEY=${begin}\nMHcCAQEE\n`,
      `private_key = "${begin}"`,
      `${begin}MIIEpAIBAAKCAQEA${footer(kind)}`,
      `${begin}\n${'q8Zk2mVb'.repeat(2)}x/4W7${'rT9pL3'.repeat(2)}AAbQ+Jk2Lm3Nn4Op5\n${footer(kind)}`,
    ])
      equal(ids(text).length, 1, text)
  }
  equal(ids(`${header('PGP ').replace('KEY', 'KEY BLOCK')}\n\nlQOYBF\n=abcd\n`).length, 1)
})

test('what speaks of a header is not found', () => {
  const begin = header('')
  for (const text of [
    `pem.startsWith("${begin}")`,
    `const BEGIN = "${begin}"`,
    `const BEGIN = "${begin}\\n";\nconst END = "x"`,
    `"${begin}\\n" + body + "\\n${footer('')}"`,
    `/^${begin}\\n([^-]+)/`,
    `It begins with ${begin}\nMIIE\n`,
    `const BEGIN = "${begin}";\nabcdef\n`,
    `${begin}\n${'0b3d576ba5a108c3'.repeat(4)}\n${footer('')}\n`,
    `${begin}\nXXXX\n${footer('')}\n`,
    `${begin}\n${footer('')}\n`,
    `${begin}\n...\n${footer('')}\n`,
    `${begin}\nREPLACE ME\n${footer('')}\n`,
    `${begin}\n<your key>\n${footer('')}\n`,
    `${begin}\nxxxxxxxxxxxx\n${footer('')}\n`,
    `${begin}\nYOUR_KEY\n${footer('')}\n`,
    `-----BEGIN CERTIFICATE-----\nMIIE\n`,
    `-----BEGIN PUBLIC KEY-----\nMIIE\n`,
  ])
    deepEqual(ids(text), [], text)
})

test('tokens with a known prefix are found even if nobody drew them', () => {
  const run = ['1234567890', 'abcdefghijklmnopqrstuvwxyz'].join('')
  for (const prefix of ['ghp', 'gho', 'ghu', 'ghs']) {
    for (const rest of [
      run,
      `${run}AB`,
      run.toUpperCase(),
      `${run.slice(10)}${run.slice(10, 20)}`,
      ['16C7e42F292c6912E771', '0c838347Ae178B4a'].join(''),
    ])
      equal(ids(`${prefix}_${rest}`).length, 1, rest)
    for (const rest of ['x'.repeat(36), 'a'.repeat(36), 'abc', 'your_token_here'])
      deepEqual(ids(`${prefix}_${rest}`), [], rest)
  }
  for (const rest of [
    run.slice(10, 34),
    run.slice(0, 16),
    ['4eC39HqLyjWD', 'arjtT1zdp7dc'].join(''),
  ])
    equal(ids(['sk', 'live', rest].join('_')).length, 1, rest)
  for (const kind of ['xoxa', 'xoxb', 'xoxp']) {
    for (const rest of [
      '123456789012-123456789012-abcdefghijklmnopqrstuvwx',
      '1234567890-abcdefghij',
    ])
      equal(ids(`${kind}-${rest}`).length, 1, rest)
    ok(!ids(`${kind}-your-token`).length)
  }
})
