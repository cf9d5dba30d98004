/** `coffer run` with a real server and real children: signals, exit codes, terminals, restarts. */
import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { COFFER, coffer, type CofferOptions, startCoffer } from '../support/coffer.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

const PASSWORD = ['s3cr3t', 'x/ü'].join('@')
const REF = 'vault://secret/app/db#password'

suite('coffer run', () => {
  let server: TestServer
  let api: Api
  before(async () => {
    server = await startServer()
    api = http(server.address, { token: server.rootToken })
    await put('app/db', { password: PASSWORD, user: 'ana' })
  })
  after(() => server[Symbol.asyncDispose]())

  const put = async (path: string, data: Record<string, unknown>) =>
    equal((await api.write(`secret/data/${path}`, { data })).status, 200)
  const run = (args: readonly string[], options?: CofferOptions) =>
    coffer(server, ['run', ...args], options)
  const sh = (script: string, env: Record<string, string> = { DB: REF }, flags: string[] = []) =>
    run([...flags, '--', 'sh', '-c', script], { env })

  test('names everything that cannot be resolved, and starts nothing', async () => {
    const env = {
      DB: REF,
      MISSING: 'vault://secret/app/none#x',
      FIELD: 'vault://secret/app/db#nope',
      FORM: 'vault://secret',
      BARE: `x ${REF}`,
    }
    const { code, out, err } = await sh('echo started', env)
    equal(code, 2)
    equal(out, '')
    match(err, /^4 references were not resolved, so nothing was started:\n/)
    for (const name of ['MISSING', 'FIELD', 'FORM', 'BARE']) match(err, new RegExp(`\n  ${name}: `))
    match(err, /MISSING: vault:\/\/secret\/app\/none#x: .*404/)
    ok(!err.includes(PASSWORD))
  })

  test('refuses a value with a null character by its name, and shows nothing of it', async () => {
    await put('app/null', { v: 'hunter2\0x' })
    const { code, err } = await sh('echo started', { NUL: 'vault://secret/app/null#v' })
    equal(code, 2)
    match(err, /\n {2}NUL: a value: .*null character/)
    ok(!err.includes('hunter2'))
  })

  test('refuses with one list when the server is away or the token bad', async () => {
    const away = await run(['--', 'true'], { env: { A: REF, VAULT_ADDR: 'http://127.0.0.1:1' } })
    equal(away.code, 2)
    match(away.err, /A: vault:.*ECONNREFUSED/)
    const bad = await run(['-watch', '--', 'true'], { env: { A: REF, VAULT_TOKEN: 'hvs.bad' } })
    equal(bad.code, 2)
    match(bad.err, /nothing was started/)
  })

  test('needs no server when nothing refers to one', async () => {
    const env = { VAULT_ADDR: 'http://127.0.0.1:1', A: 'plain' }
    deepEqual(await sh('echo "$A"', env), { code: 0, out: 'plain\n', err: '' })
  })

  test('gives the values to the child alone: whole, inside a URL, from files', async () => {
    const file = join(server.dir, 'one.env')
    const more = join(server.dir, 'two.env')
    writeFileSync(file, `DB="${REF}"\nURL="postgres://u:\${${REF}}@h/d"\nWHO=one\nKEEP=one\n`)
    writeFileSync(more, 'WHO="two # x"\n')
    const script = `printf '%s|' "$DB" "$URL" "$WHO" "$KEEP" | base64 -w0; cat /proc/$PPID/environ | base64 -w0 >&2`
    const flags = [`-env-file=${file}`, '-env-file', more]
    const { code, out, err } = await sh(script, { KEEP: 'env' }, [...flags, '-no-redact'])
    equal(code, 0)
    const encoded = encodeURIComponent(PASSWORD)
    const want = `${PASSWORD}|postgres://u:${encoded}@h/d|two # x|env|`
    equal(Buffer.from(out, 'base64').toString(), want)
    ok(!Buffer.from(err, 'base64').includes(PASSWORD))
  })

  test('puts no secret into an argument, and says so', async () => {
    const { out, err } = await run(['--', 'sh', '-c', 'cat /proc/$$/cmdline', REF], {
      env: { DB: REF },
    })
    ok(out.includes(REF) && !out.includes(PASSWORD))
    match(err, /argument 3 holds a reference, which is not replaced/)
  })

  test('-drop-login takes the login away, and nothing of ours is left behind', async () => {
    const script = 'env | grep -E "TOKEN|COFFER|ARENA" | sort'
    match((await sh(script)).out, /^VAULT_TOKEN=[^\n]*\n$/)
    equal((await sh(script, { DB: REF }, ['-drop-login'])).out, '')
  })

  test('the exit code is the child’s, 128 + n, 126 or 127', async () => {
    equal((await sh('exit 0')).code, 0)
    equal((await sh('exit 7')).code, 7)
    equal((await sh('exit 255')).code, 255)
    equal((await sh('kill -TERM $$')).code, 143)
    equal((await sh('kill -KILL $$')).code, 137)
    const none = await run(['--', 'no-such-program'])
    deepEqual([none.code, none.err], [127, 'no-such-program: no such command\n'])
    const file = await run(['--', join(server.dir, 'home')])
    equal(file.code, 126)
  })

  test('flags end at the command, with -- or without', async () => {
    equal((await run(['echo', '-watch', '--', '-help'])).out, '-watch -- -help\n')
    equal((await run(['--', 'echo', '--', '-help'])).out, '-- -help\n')
  })

  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGWINCH'] as const) {
    test(`passes ${name} on`, async () => {
      const short = name.slice(3)
      const script = `trap 'echo got ${short}; exit 9' ${short}; echo ready; while :; do sleep 0.05; done`
      const running = startCoffer(server, ['run', '--', 'sh', '-c', script])
      await running.until('ready')
      running.child.kill(name)
      deepEqual(await running.ended, { code: 9, out: `ready\ngot ${short}\n`, err: '' })
    })
  }

  test('redacts what goes into a pipe, in any form it was given', async () => {
    const env = { DB: REF, URL: `http://u:\${${REF}}@h/` }
    const script = `echo "a $DB b"; echo "$URL" >&2; echo ${encodeURIComponent(PASSWORD)}; printf %s "$DB" | base64`
    deepEqual(await sh(script, env), {
      code: 0,

      out: 'a [secret DB] b\n[secret DB]\n[secret DB]w=\n',
      err: '[secret URL]\n',
    })
    equal((await sh('echo "$DB"', { DB: REF }, ['-no-redact'])).out, `${PASSWORD}\n`)
    equal((await sh('echo "$DB"', { DB: REF }, ['-redact=false'])).out, `${PASSWORD}\n`)
  })

  test('redacts a value that is written byte by byte', async () => {
    const script = `for i in $(seq 1 10); do printf %s "$DB" | head -c $i | tail -c 1; done; printf %s "$DB" | tail -c +11; echo .`
    const { out } = await sh(script)
    // On a slow machine its first letters, fewer than four, wait too long for the next.
    const label = out.indexOf('[')
    ok(label < 4 && PASSWORD.startsWith(out.slice(0, label)), `${label}`)
    equal(out.slice(label), '[secret DB].\n')
  })

  test('passes a megabyte through unharmed, and waits for all of it', async () => {
    const script = 'head -c 1000000 /dev/zero | tr "\\0" x; echo end'
    const { code, out } = await sh(script)
    equal(code, 0)
    ok(out === `${'x'.repeat(1_000_000)}end\n`)
  })

  test('does not wait for a grandchild that holds the pipe open for ever', async () => {
    const { code, out } = await sh('sleep 300 & echo $!; exit 3')
    process.kill(Number(out))
    equal(code, 3)
  })

  const noScript = spawnSync('script', ['--version']).error ? 'script(1) is not installed' : false
  test(
    'on a terminal the child has the terminal: colours, width, its own values',
    { skip: noScript },
    async () => {
      const inner = `test -t 0 && test -t 1 && test -t 2 && echo all-ttys; stty size; printf %s "$DB"`
      const line = `stty rows 33 cols 101; ${COFFER} run -- sh -c '${inner}'; echo "code $?"`
      const { out } = await coffer(server, ['-qec', line, '/dev/null'], {
        file: 'script',
        env: { DB: REF, SHELL: '/bin/sh' },
      })
      match(out, /all-ttys\r\n33 101\r\n/)
      ok(out.includes(PASSWORD), out)
      match(out, /code 0\r\n/)
    },
  )

  test('Ctrl-C on a terminal reaches the child once', { skip: noScript }, async () => {
    const log = join(server.dir, 'ints')
    const program = `let n = 0, end
      process.on("SIGINT", () => {
        console.log("int " + ++n)
        clearTimeout(end)
        end = setTimeout(() => { require("fs").writeFileSync("${log}", String(n)); process.exit(5) }, 1000)
      })
      console.log("ready"); setInterval(() => {}, 1000)`
    const file = join(server.dir, 'count.cjs')
    writeFileSync(file, program)
    const line = `${COFFER} run -- ${process.execPath} ${file}; echo "code $?" > ${log}.code`
    const running = startCoffer(server, ['-qec', line, '/dev/null'], {
      file: 'script',
      env: { DB: REF, SHELL: '/bin/sh' },
      interactive: true,
    })
    await running.until('ready')
    // Two that come at the same moment are one to the system, so one try could miss a double.
    for (let typed = 1; typed <= 5; typed++) {
      running.child.stdin!.write('\u0003')
      await running.until(`int ${typed}`)
      await new Promise((done) => setTimeout(done, 100))
    }
    await running.ended
    equal(readFileSync(log, 'utf8'), '5')
  })

  test('-watch starts the child again with the new value, once for a burst', async () => {
    await put('watch/a', { v: 'a-one' })
    await put('watch/b', { v: 'b-one' })
    const env = { A: 'vault://secret/watch/a#v', B: 'vault://secret/watch/b#v', DB: REF }
    const script = `echo "start $A $B"; trap 'echo stopping; exit 0' TERM; while :; do sleep 0.05; done`
    const flags = ['run', '-watch', '-no-redact', '--', 'sh', '-c', script]
    const running = startCoffer(server, flags, { env })
    await running.until('start a-one b-one')
    // Learned of by two followers at moments of their own; a burst in time is tested with a clock.
    await Promise.all([put('watch/a', { v: 'a-four' }), put('watch/b', { v: 'b-four' })])
    await running.until('start a-four b-four')
    // Two more looks of every follower: a second restart would have come by then.
    await new Promise((done) => setTimeout(done, 2500))
    running.child.kill('SIGTERM')
    const { code, out, err } = await running.ended
    equal(code, 0)
    const starts = out.split('\n').filter((line) => line.startsWith('start'))
    deepEqual(starts, ['start a-one b-one', 'start a-four b-four'])
    equal(err, 'a secret has changed: started again\n')
  })

  test('-watch kills a child that does not end in its grace', async () => {
    await put('watch/c', { v: 'one' })
    const script = `echo "$$ start $C"; trap '' TERM; while :; do sleep 0.05; done`
    const running = startCoffer(
      server,
      ['run', '-watch', '-no-redact', '-grace=1s', '--', 'sh', '-c', script],
      { env: { C: 'vault://secret/watch/c#v' } },
    )
    await running.until('start one')
    await put('watch/c', { v: 'two' })
    await running.until('start two')
    const [first, second] = [...running.said().matchAll(/(\d+) start/g)].map(([, pid]) =>
      Number(pid),
    )
    throws(() => process.kill(first!, 0), { code: 'ESRCH' })
    process.kill(second!, 'SIGKILL')
    equal((await running.ended).code, 137)
  })

  test('-watch runs on with the old values when the new ones cannot be read', async () => {
    await put('watch/d', { v: 'one', w: 'x' })
    await put('watch/e', { v: 'one' })
    const script = `echo "start $D $E"; while :; do sleep 0.05; done`
    const env = { D: 'vault://secret/watch/d#v', E: 'vault://secret/watch/e#v' }
    const running = startCoffer(server, ['run', '-watch', '-no-redact', '--', 'sh', '-c', script], {
      env,
    })
    await running.until('start one one')
    await put('watch/e', { other: 'two' })
    await running.until(/cannot watch secret\/watch\/e: .*no such field/)
    await put('watch/d', { v: 'two' })
    await running.until(/still running with the values from before: .*no such field/)
    await put('watch/e', { v: 'two' })
    await running.until('start two two')
    running.child.kill('SIGTERM')
    const { code, out } = await running.ended
    deepEqual([code, out], [143, 'start one one\nstart two two\n'])
  })

  test('a child that ends by itself ends the watching', async () => {
    const { code } = await sh('exit 4', { DB: REF }, ['-watch'])
    equal(code, 4)
  })
})
