/**
 * Some hundred marked values and names go through every kind of route, right and wrong, and are then
 * looked for in everything the server has written: as they are, in hex, in base64 at each alignment.
 * The audit log tells paths and names of fields, so there only values are looked for.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { raw, request } from '../support/raw-http.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

type Marks = { values: string[]; names: string[] }

const fresh = (kind: 'v' | 'n') => `${kind}${randomBytes(12).toString('hex')}`

/** Every form in which a text could lie in a file, longest core first. */
function forms(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  const found = [bytes, Buffer.from(bytes.toString('hex'))]
  for (const url of [false, true]) {
    for (let shift = 0; shift < 3; shift++) {
      const coded = Buffer.concat([Buffer.alloc(shift), bytes]).toString(
        url ? 'base64url' : 'base64',
      )
      // Without the characters that depend on what stands around it.
      found.push(Buffer.from(coded.slice(shift === 0 ? 0 : 4, -4)))
    }
  }
  return [...found, Buffer.from(bytes.toString('utf16le'), 'latin1')]
}

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((file) => statSync(file).isFile())
}

const hits = (content: Buffer, marks: readonly string[]) =>
  marks.filter((mark) => forms(mark).some((form) => content.includes(form)))

async function plant(api: Api, server: TestServer): Promise<Marks> {
  const values: string[] = []
  const names: string[] = []
  const v = () => (values.push(fresh('v')), values.at(-1)!)
  const n = () => (names.push(fresh('n')), names.at(-1)!)
  const nested = () => ({ a: v(), b: [v(), { c: v() }], d: { e: { f: v() } } })

  for (let i = 0; i < 15; i++) {
    const [folder, name] = [n(), n()]
    equal(
      (await api.write(`secret/data/${folder}/${name}`, { data: { ...nested(), [n()]: v() } }))
        .status,
      200,
    )
    await api.patch(`secret/data/${folder}/${name}`, { data: { [n()]: v() } })
    await api.write(`secret/metadata/${folder}/${name}`, { custom_metadata: { [n()]: v() } })
    await api.read(`secret/data/${folder}/${name}`)
    await api.list(`secret/metadata/${folder}`)
    equal((await api.write(`kv1/${folder}/${name}`, { ...nested(), [n()]: v() })).status, 204)
    await api.read(`kv1/${folder}/${name}`)
    await api.write(`cubbyhole/${n()}`, nested())
    await api.delete(`kv1/${folder}/${name}`)
  }
  for (let i = 0; i < 5; i++) {
    const role = n()
    await api.write(`sys/policies/acl/${n()}`, {
      policy: `# ${v()}\npath "${n()}/*" { capabilities = ["read"] }`,
    })
    await api.write(`auth/approle/role/${role}`, { token_policies: ['default'] })
    const id = String((await api.read(`auth/approle/role/${role}/role-id`)).at('data.role_id'))
    const secret = await api.write(`auth/approle/role/${role}/secret-id`)
    const login = { role_id: id, secret_id: secret.at('data.secret_id') }
    const logged = await api.write('auth/approle/login', login, { token: undefined })
    equal(logged.status, 200)
    const made = await api.write('auth/token/create', { policies: ['default'] })
    const wrapped = await api.write('sys/wrapping/wrap', nested(), {
      headers: { 'x-vault-wrap-ttl': '90' },
    })
    const opened = await api.write('sys/wrapping/wrap', nested(), {
      headers: { 'x-vault-wrap-ttl': '90' },
    })
    const wrapping = String(opened.at('wrap_info.token'))
    equal((await api.write('sys/wrapping/unwrap', { token: wrapping })).status, 200)
    // The tail of a token is its secret; its middle names its entry, hidden in the store too.
    for (const token of [
      logged.at('auth.client_token'),
      made.at('auth.client_token'),
      wrapped.at('wrap_info.token'),
      wrapping,
    ]) {
      values.push(String(token), String(token).slice(-40))
    }
    values.push(String(login.secret_id))
    await wrong(api, server, { v, i })
  }
  values.push(server.rootToken, ...server.unsealKeys)
  return { values, names }
}

/** Requests that fail in as many ways as there are, with a value in each. */
async function wrong(api: Api, server: TestServer, { v, i }: { v: () => string; i: number }) {
  const port = Number(new URL(server.address).port)
  const token = { 'X-Vault-Token': server.rootToken }
  await api.write('auth/approle/login', { role_id: v(), secret_id: v() }, { token: undefined })
  await api.read('secret/data/a', { token: `hvs.${v()}` })
  await api.write('auth/token/lookup', { token: v() })
  await api.write('auth/token/revoke', { token: v() })
  await api.write('sys/wrapping/unwrap', { token: v() })
  await api.write('sys/unseal', { key: v() })
  await api.write('sys/generate-root/update', { key: v(), nonce: 'none' })
  await api.write('secret/data/a', { data: v() })
  await api.write('secret/data/a', { data: { a: v() }, options: { cas: v() } })
  await api.write('sys/policies/acl/bad', { policy: `path "${v()}" {` })
  await api.write('sys/mounts/x', { type: 'kv', config: { default_lease_ttl: v() } })
  await api.write('sys/tools/hash', { input: v() })
  await api.read('secret/data/a', { query: { version: v() } })
  await api.read('secret/data/a', { headers: { 'x-vault-wrap-ttl': v() } })
  await raw(port, [request('POST /v1/secret/data/a', token, `{"data":{"a":"${v()}"`)])
  await raw(port, [request('POST /v1/secret/data/a', token, `{"data":${v()}}`)])
  await raw(port, [request('GET /v1/secret/data/a', { Authorization: `Bearer ${v()}` })])
  await raw(port, [request('GET /v1/secret/data/a', { ...token, 'X-Other': v() })])
  await raw(port, [request('POST /v1/kv1/x', token, `a=${v()}`)])
  await raw(
    port,
    [`POST /v1/kv1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{"${v()}`],
    20 + i,
  )
}

test('nothing the server writes holds a value or a name', async (t) => {
  await using server = await startServer({
    kind: 'config',
    audit: true,
    flags: ['-log-level=trace'],
  })
  const api = http(server.address, { token: server.rootToken })
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  await api.write('sys/mounts/kv1', { type: 'kv', options: { version: '1' } })
  await api.write('sys/auth/approle', { type: 'approle' })
  const { values, names } = await plant(api, server)
  ok(values.length + names.length >= 300)

  const everything = [...values, ...names]
  deepEqual(hits(Buffer.from(server.output()), everything), [], 'in what it says')
  const audit = readFileSync(server.auditFile)
  deepEqual(hits(audit, values), [], 'in the audit log')
  ok(hits(audit, names).length > 0, 'the search finds what is there')

  const search = () => {
    let bytes = 0
    const files = filesUnder(server.dir).filter((file) => file !== server.auditFile)
    ok(files.some((file) => file.includes('coffer.db')))
    for (const file of files) {
      const content = readFileSync(file)
      bytes += content.length
      deepEqual(hits(content, everything), [], file)
    }
    return { files: files.length, bytes }
  }
  const running = search()
  // Killed, its log of changes lies there; ended and started again, it has been folded in.
  await server.kill('SIGKILL')
  search()
  await server.restart()
  search()
  t.diagnostic(
    `${values.length} values and ${names.length} names, 0 hits in ${running.files} files of ` +
      `${running.bytes + audit.length} bytes`,
  )
})
