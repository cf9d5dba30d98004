/** `coffer run` and `coffer agent` as holders of what a real server rotates. */
import { deepEqual, equal, match, notEqual } from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { coffer, type CofferOptions, type Running, startCoffer } from '../support/coffer.ts'
import { generatedRotation } from '../support/generated-rotation.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

suite('a rotation and its holders', { concurrency: true }, () => {
  let server: TestServer
  let api: Api
  before(async () => {
    server = await startServer()
    api = http(server.address, { token: server.rootToken })
    writeFileSync(join(server.dir, 'agent-token'), server.rootToken, { mode: 0o600 })
  })
  after(async () => {
    // What a test that has failed has left behind would keep this process alive.
    for (const { child } of started) child.kill('SIGKILL')
    await server[Symbol.asyncDispose]()
  })
  const started: Running[] = []
  const start = (args: readonly string[], options?: CofferOptions) => {
    const running = startCoffer(server, args, options)
    started.push(running)
    return running
  }

  const rotated = (name: string) => generatedRotation(api, `secret/rot/${name}`)
  const runs = (name: string, flags: string[], script: string) =>
    start(['run', ...flags, '--', 'sh', '-c', script], {
      env: { P: `vault://secret/rot/${name}#password` },
      interactive: true,
    })

  test('run: what the child was given is not revoked before it ends, and then at once', async () => {
    const rotation = await rotated('plain')
    const running = runs('plain', [], 'echo ready; read line; exit 4')
    await running.until('ready')
    await rotation.now()
    const held = await rotation.held()
    match(held.hold_note, /^generation 1 is held by client run\/sh \S+ \(127/)
    deepEqual([held.generation, held.previous_generation], [2, 1])
    const [holder, ...others] = held.holders
    deepEqual([holder?.app, holder?.state, holder?.blocks, others], ['run/sh', 'drained', true, []])
    const shown = await coffer(server, ['rotate', 'status', 'secret/rot/plain'])
    match(shown.out, /\n! +client +run\/sh /)
    running.child.stdin!.end('\n')
    equal((await running.ended).code, 4)
    deepEqual((await rotation.status()).holders, [], 'it has said that it is gone')
    await rotation.over()
  })

  test('run: what is read and not used is let go', async () => {
    const rotation = await rotated('unused')
    const env = { P: 'vault://secret/rot/unused#password', Q: 'vault://secret/rot/unused#none' }
    equal((await coffer(server, ['run', '--', 'true'], { env })).code, 2)
    equal((await coffer(server, ['run', '--', 'no-such-program'], { env: { P: env.P } })).code, 127)
    deepEqual((await rotation.status()).holders, [])
  })

  test('run -watch holds the old value until the old child has ended, then uses the new one', async () => {
    const rotation = await rotated('watch')
    const gate = join(server.dir, 'gate')
    const script = `echo "start $$ $P"; trap 'echo asked; while ! test -e ${gate}; do sleep 0.1; done; exit 0' TERM
      while :; do sleep 0.1; done`
    const running = runs('watch', ['-watch', '-grace=1h'], script)
    await running.until('start')
    await rotation.now()
    await running.until('asked')
    const held = await rotation.held()
    match(held.hold_note, /^generation 1 is held by client run\/sh /)
    equal(held.previous_generation, 1)
    writeFileSync(gate, '')
    const { holders } = await rotation.over()
    deepEqual(
      holders.map(({ app, state, blocks }) => [app, state, blocks]),
      [['run/sh', 'drained', false]],
    )
    running.child.kill('SIGTERM')
    equal((await running.ended).code, 0)
    equal(running.said().match(/^start/gm)?.length, 2)
    deepEqual((await rotation.status()).holders, [])
  })

  test('run -watch refuses the new value when the child fails of it at once', async () => {
    const rotation = await rotated('bad')
    const mark = join(server.dir, 'mark')
    const script = `test -e ${mark} && exit 3; touch ${mark}; echo ready; exec sleep 300`
    const running = runs('bad', ['-watch'], script)
    await running.until('ready')
    await rotation.now()
    equal((await running.ended).code, 3)
    const held = await rotation.held()
    match(held.hold_note, /^cannot use generation 2: client run\/sh /)
    deepEqual([held.hold_reason, held.previous_generation], ['nack', 1])
  })

  const agent = (name: string, rest: string) => {
    const [file, token] = [join(server.dir, `${name}.hcl`), join(server.dir, 'agent-token')]
    const login = `auto_auth { method "token_file" { config = { token_file_path = "${token}" } } }`
    writeFileSync(file, `${login}\n${rest}`)
    return start(['agent', `-config=${file}`])
  }

  test('agent: a rotation waits for the command that makes an app read the new file', async () => {
    await api.write('secret/data/rot/file', { data: { host: 'one' } })
    const rotation = await generatedRotation(api, 'secret/rot/file')
    const dir = join(server.dir, 'files')
    mkdirSync(dir)
    const read = (name: string) => readFileSync(join(dir, name), 'utf8')
    const running = agent(
      'files',
      `
      template {
        contents = "{{ with secret \\"secret/rot/file\\" }}{{ .Data.data.host }} {{ .Data.data.password }}{{ end }}"
        destination = "${dir}/login"
        command = "test ! -e ${dir}/bad && cp ${dir}/login ${dir}/used"
      }`,
    )
    await running.until('wrote')
    for (let i = 0; i < 600 && !existsSync(join(dir, 'used')); i++) await sleep(50)
    writeFileSync(join(dir, 'bad'), '')
    await rotation.now()
    const held = await rotation.until(({ hold_reason: why }) => why === 'nack')
    match(held.hold_note, /^cannot use generation 3: client agent \S+\.files\./)
    equal(held.previous_generation, 2)
    notEqual(read('login'), read('used'))
    // The next change brings the command again, and that it ends well is what was waited for.
    rmSync(join(dir, 'bad'))
    const patched = await api.patch('secret/data/rot/file', { data: { host: 'two' } })
    equal(patched.status, 200)
    const { generation, holders } = await rotation.over()
    deepEqual(
      [generation, holders.map(({ app, state }) => [app, state])],
      [3, [['agent', 'drained']]],
    )
    equal(read('login'), read('used'))
    running.child.kill('SIGTERM')
    equal((await running.ended).code, 0)
    equal(
      (await rotation.status()).holders.length,
      1,
      'the file is there, and so may its reader be',
    )
  })

  test('agent: a rotation waits for the program that exec runs, and no longer', async () => {
    const rotation = await generatedRotation(api, 'secret/rot/exec')
    const running = agent(
      'exec',
      `
      env_template "P" { contents = "{{ with secret \\"secret/rot/exec\\" }}{{ .Data.data.password }}{{ end }}" }
      exec {
        command = ["sh", "-c", "echo start; exec sleep 300"]
        restart_on_secret_changes = "never"
      }`,
    )
    await running.until('start')
    await rotation.now()
    match((await rotation.held()).hold_note, /^generation 1 is held by client agent\/sh /)
    running.child.kill('SIGTERM')
    equal((await running.ended).code, 143)
    await rotation.over()
  })
})
