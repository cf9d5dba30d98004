/** `coffer agent` against a real server: logins, sinks, templates, a program, a listener. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { coffer, type Running, startCoffer } from '../support/coffer.ts'
import { accountToken, fakeKubernetes, known } from '../support/fake-kubernetes.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

const POLICY = `path "secret/data/*" { capabilities = ["read", "create", "update"] }
path "secret/metadata/*" { capabilities = ["read", "list"] }
path "auth/token/create" { capabilities = ["update"] }
path "sys/wrapping/wrap" { capabilities = ["update"] }`

suite('coffer agent', () => {
  let server: TestServer
  let api: Api
  let dir: string
  let folders = 0
  before(async () => {
    server = await startServer()
    api = http(server.address, { token: server.rootToken })
    await api.write('sys/auth/approle', { type: 'approle' })
    await api.write('sys/policies/acl/app', { policy: POLICY })
    await role({})
  })
  after(() => server[Symbol.asyncDispose]())

  const role = async (more: Record<string, unknown>) => {
    const settings = { token_policies: ['app'], token_ttl: '1h', token_max_ttl: '2h', ...more }
    equal((await api.write('auth/approle/role/app', settings)).status, 204)
  }
  const put = async (path: string, data: Record<string, unknown>) =>
    equal((await api.write(`secret/data/${path}`, { data })).status, 200)
  const read = (name: string) => readFileSync(join(dir, name), 'utf8')
  const modeOf = (name: string) => (statSync(join(dir, name)).mode & 0o777).toString(8)

  const fresh = async () => {
    dir = join(server.dir, `agent${folders++}`)
    mkdirSync(dir)
    const id = await api.read('auth/approle/role/app/role-id')
    writeFileSync(join(dir, 'role'), `${String(id.at('data.role_id'))}\n`)
    await newSecretId()
  }
  const newSecretId = async () => {
    const made = await api.write('auth/approle/role/app/secret-id')
    writeFileSync(join(dir, 'secret'), String(made.at('data.secret_id')))
  }
  const approle = (sinks = '', more = '') => `
    vault { address = "${server.address}" }
    auto_auth {
      method "approle" {
        min_backoff = "1s"
        config = { role_id_file_path = "${dir}/role", secret_id_file_path = "${dir}/secret" ${more} }
      }
      ${sinks}
    }
    template_config { static_secret_render_interval = "1s" }`
  const env = { VAULT_ADDR: '', VAULT_TOKEN: '' }
  const start = (hcl: string, flags: string[] = []): Running => {
    writeFileSync(join(dir, 'agent.hcl'), hcl)
    return startCoffer(server, ['agent', '-config=agent.hcl', ...flags], { cwd: dir, env })
  }
  const stopped = async (agent: Running) => {
    agent.child.kill('SIGTERM')
    equal((await agent.ended).code, 0, agent.said())
  }
  const until = async (is: () => boolean) => {
    for (let tries = 0; !is(); tries++) {
      if (tries > 200) throw new Error('did not come true')
      await new Promise((done) => setTimeout(done, 50))
    }
  }

  test('names every mistake of the file with its line, and shows no value', async () => {
    await fresh()
    const { code, err } = await start(`auto_auth {
  method "approel" { }
}
templat { }
template {
  contents = "hunter2"
  destination = "x"
  perm = "0600"
  perms = "hunter2"
}
listener "tcp" { address = "127.0.0.1:0" }
`).ended
    equal(code, 1)
    match(err, /agent\.hcl:2: an unknown method; expected one of "approle", "token_file"/)
    match(err, /agent\.hcl:4: unknown key "templat"; expected "template"$/m)
    match(err, /agent\.hcl:8: unknown key "perm" in template; expected "perms"$/m)
    match(err, /agent\.hcl:9: "perms" in template has a wrong value; expected a file mode/)
    match(err, /agent\.hcl:11: a listener without a certificate; expected tls_cert_file/)
    ok(!err.includes('hunter2'))
    const broken = await start('vault {\n  address = hunter2\n').ended
    deepEqual([broken.code, /agent\.hcl:2: expected a value/.test(broken.err)], [1, true])
    equal(
      (await start(approle('sink "file" { config = { path = "t" } }'), ['-check']).ended).code,
      0,
    )
  })

  test('AppRole: a sink of mode 0600, the secret id gone from the disk, and exit_after_auth', async () => {
    await fresh()
    const sinks = `
      sink "file" { config = { path = "${dir}/token" } }
      sink "file" { config = { path = "${dir}/open" mode = 0644 } }
      sink "file" { wrap_ttl = "5m" config = { path = "${dir}/wrapped" } }`
    const hcl = `exit_after_auth = true\npid_file = "${dir}/pid"\n${approle(sinks)}`
    const { code, out, err } = await start(hcl).ended
    equal(code, 0, err)
    deepEqual([modeOf('token'), modeOf('open'), modeOf('wrapped')], ['600', '644', '600'])
    const token = read('token')
    equal(read('open'), token)
    ok(!(out + err).includes(token))
    const self = await api.read('auth/token/lookup-self', { token })
    deepEqual(self.at('data.policies'), ['app', 'default'])
    const { token: wrapping } = JSON.parse(read('wrapped')) as { token: string }
    ok(!read('wrapped').includes(token))
    const opened = await api.write('sys/wrapping/unwrap', {}, { token: wrapping })
    equal(opened.at('data.token'), token)
    ok(!existsSync(join(dir, 'secret')))
    ok(!existsSync(join(dir, 'pid')))
    deepEqual(readdirSync(dir).sort(), ['agent.hcl', 'open', 'role', 'token', 'wrapped'])
  })

  test('AppRole with a wrapped secret id, and a token file', async () => {
    await fresh()
    const path = 'auth/approle/role/app/secret-id'
    const wrapped = await api.write(path, {}, { headers: { 'x-vault-wrap-ttl': '60s' } })
    writeFileSync(join(dir, 'secret'), String(wrapped.at('wrap_info.token')))
    const sink = `sink "file" { config = { path = "${dir}/token" } }`
    const more = `, secret_id_response_wrapping_path = "${path}"`
    const { code, err } = await start(approle(sink, more), ['-exit-after-auth']).ended
    equal(code, 0, err)
    writeFileSync(join(dir, 'mine'), read('token'))
    const hcl = `vault { address = "${server.address}" }
      auto_auth { method "token_file" { config = { token_file_path = "${dir}/mine" } }
      sink "file" { config = { path = "${dir}/again" } } }`
    equal((await start(hcl, ['-exit-after-auth']).ended).code, 0)
    equal(read('again'), read('token'))
  })

  test('Kubernetes: what the cluster says of the account decides', async () => {
    await fresh()
    await using cluster = await fakeKubernetes()
    const jwt = accountToken('default', 'web', 'u1')
    await api.write('sys/auth/kubernetes', { type: 'kubernetes' })
    const config = { kubernetes_host: cluster.url, kubernetes_ca_cert: cluster.ca }
    await api.write('auth/kubernetes/config', { ...config, token_reviewer_jwt: 'reviewer' })
    const bound = 'bound_service_account'
    const role = { [`${bound}_names`]: 'web', [`${bound}_namespaces`]: 'default' }
    const made = await api.write('auth/kubernetes/role/web', { ...role, token_policies: ['app'] })
    equal(made.status, 204, made.text)
    writeFileSync(join(dir, 'jwt'), `${jwt}\n`)
    const hcl = `vault { address = "${server.address}" }
      auto_auth {
        method "kubernetes" {
          exit_on_err = true
          config = { role = "web", token_path = "${dir}/jwt" }
        }
        sink "file" { config = { path = "${dir}/token" } }
      }`
    cluster.answer = () => [201, { status: { authenticated: false } }]
    const refused = await start(hcl, ['-exit-after-auth']).ended
    deepEqual([refused.code, existsSync(join(dir, 'token'))], [1, false], refused.err)
    ok(!refused.err.includes(jwt))
    cluster.answer = () => [201, { status: known('default', 'web', 'u1') }]
    const { code, err } = await start(hcl, ['-exit-after-auth']).ended
    equal(code, 0, err)
    deepEqual(new Set(cluster.asked.map(({ token }) => token)), new Set([jwt]))
    const self = await api.read('auth/token/lookup-self', { token: read('token') })
    const { path, policies } = self.at('data') as Record<string, unknown>
    deepEqual([path, policies], ['auth/kubernetes/login', ['app', 'default']])
  })

  test('a refused login is tried again, or ends the agent when exit_on_err says so', async () => {
    await fresh()
    writeFileSync(join(dir, 'secret'), 'wrong')
    const agent = start(approle(`sink "file" { config = { path = "${dir}/token" } }`))
    await agent.until(/the login failed: POST auth\/approle\/login: 400/)
    await newSecretId()
    await until(() => existsSync(join(dir, 'token')))
    await stopped(agent)
    writeFileSync(join(dir, 'secret'), 'wrong')
    const hcl = approle().replace('min_backoff', 'exit_on_err = true\n min_backoff')
    const { code, err } = await start(`${hcl}\ntemplate { contents = "x" destination = "y" }`).ended
    equal(code, 1)
    match(err, /exit_on_err is set/)
  })

  test('a template is rendered again when its secret changes, and its command run', async () => {
    await fresh()
    await put('tpl', { user: 'ana', password: 'one "1"' })
    writeFileSync(
      join(dir, 'app.tpl'),
      '{{ with secret "secret/data/tpl" }}{{ range $k, $v := .Data.data }}{{ $k }}={{ $v | toJSON }}\n{{ end }}{{ end }}',
    )
    const agent = start(`${approle()}
      template {
        source      = "${dir}/app.tpl"
        destination = "${dir}/etc/app.conf"
        command     = "echo ran >> ${dir}/ran; env > ${dir}/env"
      }
      template {
        contents = "[[ with secret \\"secret/tpl\\" ]]v[[ .Data.metadata.version ]][[ end ]]"
        left_delimiter = "[[" right_delimiter = "]]"
        destination = "${dir}/version" perms = "0644"
      }`)
    await until(() => existsSync(join(dir, 'version')))
    equal(read('etc/app.conf'), 'password="one \\"1\\""\nuser="ana"\n')
    deepEqual([modeOf('etc/app.conf'), modeOf('version'), read('version')], ['600', '644', 'v1'])
    await put('tpl', { user: 'ana', password: 'two' })
    await until(() => read('version') === 'v2')
    await until(() => read('etc/app.conf') === 'password="two"\nuser="ana"\n')
    await until(() => read('ran') === 'ran\nran\n')
    ok(!read('env').includes('two') && !read('env').includes('COFFER'))
    // A secret that is gone leaves the file as it is.
    await api.delete('secret/data/tpl')
    await agent.until(/secret\/(data\/)?tpl could not be read again: GET secret\/data\/tpl: 404/)
    equal(read('version'), 'v2')
    await stopped(agent)
    ok(!/one|two/.test(agent.said()))
  })

  test('a template that is wrong ends the agent with its line; a missing key when that is an error', async () => {
    await fresh()
    await put('wrong', { a: 'hunter2' })
    const one = (contents: string, more = '') =>
      start(
        `${approle()}\ntemplate { destination = "${dir}/x" ${more} contents = ${JSON.stringify(contents)} }`,
      )
    const broken = await one('a\n{{ if }}').ended
    equal(broken.code, 1)
    match(broken.err, /template for .*\/x: line 2: expected a value/)
    await newSecretId()
    const contents = '{{ with secret "secret/wrong" }}{{ .Data.data.a }}{{ .Data.data.b }}{{ end }}'
    const strict = await one(contents, 'error_on_missing_key = true').ended
    equal(strict.code, 1)
    match(strict.err, /line 1: there is no key "b"/)
    ok(!existsSync(join(dir, 'x')) && !strict.err.includes('hunter2'))
    await newSecretId()
    const lax = one(contents)
    await until(() => existsSync(join(dir, 'x')))
    equal(read('x'), 'hunter2<no value>')
    await stopped(lax)
  })

  test('killed at any moment, it leaves a whole file', async () => {
    await fresh()
    const values = ['a', 'b'].map((letter) => letter.repeat(200_000))
    for (let round = 0; round < 6; round++) {
      await newSecretId()
      await put('kill', { v: values[round % 2] })
      const agent = start(`${approle()}
        template { contents = "{{ with secret \\"secret/kill\\" }}{{ .Data.data.v }}{{ end }}" destination = "${dir}/big" }`)
      let writes = 0
      const writer = setInterval(() => {
        void put('kill', { v: values[writes++ % 2] })
      }, 150)
      await agent.until('wrote')
      await new Promise((done) => setTimeout(done, 200 + round * 170))
      agent.child.kill('SIGKILL')
      await agent.ended
      clearInterval(writer)
      ok(values.includes(read('big')), `a file of ${read('big').length}`)
    }
  })

  test('a token that ends is replaced by a new login, in the sink too', async () => {
    await fresh()
    await role({ token_ttl: '3s', token_max_ttl: '4s' })
    try {
      const agent = start(
        approle(
          `sink "file" { config = { path = "${dir}/token" } }`,
          ', remove_secret_id_file_after_reading = false',
        ),
      )
      await until(() => existsSync(join(dir, 'token')))
      const first = read('token')
      await until(() => read('token') !== first)
      equal((await api.read('auth/token/lookup-self', { token: read('token') })).status, 200)
      await stopped(agent)
    } finally {
      await role({})
    }
  })

  test('exec runs a program with env_template, starts it again on a change, ends with its code', async () => {
    await fresh()
    await put('exec', { v: 'one-value' })
    const script = `echo "start $V"; trap 'exit 7' TERM; while :; do sleep 0.05; done`
    const agent = start(`${approle()}
      env_template "V" { contents = "{{ with secret \\"secret/exec\\" }}{{ .Data.data.v | toUpper }}{{ end }}" }
      env_template "LEN" { contents = "{{ with secret \\"secret/exec\\" }}{{ len .Data.data.v }}{{ end }}" }
      exec { command = ["sh", "-c", ${JSON.stringify(script.replace('$V', '$V $LEN ${V#ONE}'))}] }`)
    await agent.until('start [secret V] 9 -VALUE')
    await put('exec', { v: 'one-other!' })
    await agent.until('start [secret V] 10 -OTHER!')
    match(agent.said(), /a secret has changed: started the program again/)
    agent.child.kill('SIGTERM')
    equal((await agent.ended).code, 7)
  })

  test('a file is written anew when the server tells of a change, long before the next look', async (t) => {
    await fresh()
    await put('told', { v: 'one' })
    const config = approle().replace('interval = "1s"', 'interval = "1h"')
    const agent = start(`${config}
      template {
        contents = "{{ with secret \\"secret/told\\" }}{{ .Data.data.v }}{{ end }}"
        destination = "${dir}/told.txt"
      }`)
    const shows = (value: string) =>
      until(() => existsSync(join(dir, 'told.txt')) && read('told.txt') === value)
    await shows('one')
    for (const value of ['two', 'three']) {
      const startedAt = Date.now()
      await put('told', { v: value })
      await shows(value)
      t.diagnostic(`a change is in the file after ${Date.now() - startedAt} ms`)
    }
    await stopped(agent)
  })

  test('the listener lends its token, remembers leases, and wants its header', async () => {
    await fresh()
    await put('proxy', { v: 'through' })
    const agent = start(`${approle()}
      api_proxy { use_auto_auth_token = true }
      cache {}
      listener "tcp" { address = "127.0.0.1:0" tls_disable = true require_request_header = true }
      listener "unix" { address = "${dir}/sock" agent_api { enable_quit = true } }`)
    await agent.until(/listening on .*sock/)
    const port = /listening on 127\.0\.0\.1:(\d+)/.exec(agent.said())![1]!
    const near = http(`http://127.0.0.1:${port}`, { headers: { 'x-vault-request': 'true' } })
    const bare = http(`http://127.0.0.1:${port}`)
    equal((await bare.read('secret/data/proxy')).status, 412)
    const got = await near.read('secret/data/proxy')
    deepEqual(
      [got.status, got.at('data.data.v'), got.headers.get('x-cache')],
      [200, 'through', 'MISS'],
    )
    await put('proxy', { v: 'newer' })
    equal((await near.read('secret/data/proxy')).at('data.data.v'), 'newer')
    equal((await near.read('secret/data/proxy', { token: 'hvs.wrong' })).status, 403)
    const made = await Promise.all(
      [1, 2, 3].map(() => near.write('auth/token/create', { ttl: '10m' })),
    )
    const tokens = new Set(made.map((reply) => String(reply.at('auth.client_token'))))
    equal(tokens.size, 1)
    equal((await near.write('auth/token/create', { ttl: '11m' })).headers.get('x-cache'), 'MISS')
    const [token = ''] = tokens
    equal((await near.write('auth/token/create', { ttl: '10m' })).headers.get('x-cache'), 'HIT')
    equal(
      (
        await near.write('auth/token/create', { ttl: '10m' }, { token: server.rootToken })
      ).headers.get('x-cache'),
      'MISS',
    )
    equal((await near.write('auth/token/revoke-self', {}, { token })).status, 204)
    equal((await near.write('auth/token/create', { ttl: '10m' })).headers.get('x-cache'), 'MISS')
    equal(modeOf('sock'), '600')
    equal(await overSocket(join(dir, 'sock'), 'GET', '/v1/secret/data/proxy'), 200)
    equal((await near.write('../agent/v1/quit')).status, 404)
    equal(await overSocket(join(dir, 'sock'), 'POST', '/agent/v1/quit'), 204)
    equal((await agent.ended).code, 0)
  })

  test('without use_auto_auth_token the listener lends nothing', async () => {
    await fresh()
    const agent = start(
      `${approle()}\nlistener "tcp" { address = "127.0.0.1:0" tls_disable = true }`,
    )
    await agent.until(/listening on/)
    const port = /listening on 127\.0\.0\.1:(\d+)/.exec(agent.said())![1]!
    equal((await http(`http://127.0.0.1:${port}`).read('secret/data/proxy')).status, 403)
    await stopped(agent)
  })

  test('needs -config, and says so', async () => {
    const { code, err } = await coffer(server, ['agent'])
    deepEqual([code, err], [1, '-config is missing\nhint: -config=agent.hcl\n'])
  })
})

function overSocket(socketPath: string, method: string, path: string): Promise<number> {
  return new Promise((done, fail) => {
    const asked = request({ socketPath, method, path, agent: false }, (answer) => {
      answer.resume()
      answer.on('end', () => done(answer.statusCode ?? 0))
    })
    asked.on('error', fail)
    asked.end()
  })
}
