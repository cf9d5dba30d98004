/** `coffer env` against a real server: in, out, compared, checked, promoted; and no value on a screen. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { parse as dotenv } from 'dotenv'
import { COFFER, coffer, startCoffer } from '../support/coffer.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

const FILE = `# the shop
DB_URL="postgres://u:p#w@h/d" # main
export API_KEY='sk-1234567'
CERT="-----BEGIN
two-----END"
EMPTY=
OLD=vault://secret/legacy#x
`
const VALUES = ['p#w', 'sk-1234567', 'two-----END']

suite('coffer env', () => {
  let server: TestServer
  let api: Api
  let dir: string
  let folders = 0
  before(async () => {
    server = await startServer()
    api = http(server.address, { token: server.rootToken })
  })
  after(() => server[Symbol.asyncDispose]())

  const fresh = (files: Record<string, string> = {}) => {
    dir = join(server.dir, `work${folders++}`)
    mkdirSync(dir)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  }
  const env = (...args: string[]) => coffer(server, ['env', ...args], { cwd: dir })
  const put = async (path: string, data: Record<string, unknown>) =>
    equal((await api.write(`secret/data/${path}`, { data })).status, 200)
  const get = async (path: string) => (await api.read(`secret/data/${path}`)).at('data.data')
  const hasNoValue = (text: string) => {
    for (const value of VALUES) ok(!text.includes(value), text)
  }

  test('import stores names and values, shows names only, and leaves the file be', async () => {
    fresh({ '.env': FILE })
    const { code, out, err } = await env('import', '.env', 'secret/shop/dev')
    equal(code, 0, err)
    hasNoValue(out + err)
    for (const name of ['DB_URL', 'API_KEY', 'CERT', 'EMPTY'])
      match(out, new RegExp(`${name} +new`))
    match(out, /OLD +reference/)
    match(out, /Stored 4 in secret\/shop\/dev, version 1/)
    match(err, /\.env still holds the values/)
    const { OLD, ...stored } = dotenv(FILE)
    deepEqual(await get('shop/dev'), stored)
    equal(typeof OLD, 'string')
  })

  test('import keeps other fields, and overwrites only when told to', async () => {
    fresh({ '.env': 'A=new\nB=same' })
    await put('over', { A: 'old', B: 'same', C: 'mine' })
    const no = await env('import', '.env', 'secret/over')
    deepEqual(
      [no.code, no.err.split('\n')[0]],
      [1, 'nothing was stored: there are other values already for A'],
    )
    deepEqual(await get('over'), { A: 'old', B: 'same', C: 'mine' })
    equal((await env('import', '-yes', '.env', 'secret/over')).code, 0)
    deepEqual(await get('over'), { A: 'new', B: 'same', C: 'mine' })
    match((await env('import', '.env', 'secret/over')).out, /Nothing to store/)
  })

  test('import adds to .gitignore, removes, and warns of what git has already', async () => {
    fresh({ '.env': FILE, '.gitignore': 'node_modules' })
    spawnSync('git', ['init', '-q'], { cwd: dir })
    const ignored = await env('import', '-gitignore', '-remove', '.env', 'secret/git')
    equal(ignored.code, 0, ignored.err)
    equal(readFileSync(join(dir, '.gitignore'), 'utf8'), 'node_modules\n/.env\n')
    ok(!existsSync(join(dir, '.env')))
    writeFileSync(join(dir, 'b.env'), 'A=1')
    spawnSync('git', ['add', 'b.env'], { cwd: dir })
    const tracked = await env('import', '-remove=false', 'b.env', 'secret/git')
    match(tracked.err, /b\.env is in git, and its values are in the history/)
    ok(existsSync(join(dir, 'b.env')))
  })

  test('import -rewrite leaves references that coffer run resolves, and all else as it was', async () => {
    fresh({ '.env': FILE.replace('OLD', '# OLD') })
    equal((await env('import', '-rewrite', '.env', 'secret/re')).code, 0)
    const text = readFileSync(join(dir, '.env'), 'utf8')
    hasNoValue(text)
    match(text, /^# the shop\nDB_URL="vault:\/\/secret\/re#DB_URL" # main\nexport API_KEY="vault:/)
    const script = 'printf "%s|" "$DB_URL" "$API_KEY" "$CERT" "$EMPTY"'
    const ran = await coffer(server, ['run', '-no-redact', '-env-file=.env', 'sh', '-c', script], {
      cwd: dir,
    })
    equal(ran.out, 'postgres://u:p#w@h/d|sk-1234567|-----BEGIN\ntwo-----END||')
    equal(statSync(join(dir, '.env')).mode & 0o777, 0o644)
  })

  const noScript = spawnSync('script', ['--version']).error ? 'script(1) is not installed' : false
  test('import asks on a terminal, and no is no', { skip: noScript }, async () => {
    fresh({ '.env': 'A=asked-value\n' })
    spawnSync('git', ['init', '-q'], { cwd: dir })
    await put('ask', { A: 'other' })
    const line = `${COFFER} env import .env secret/ask`
    const start = () =>
      startCoffer(server, ['-qec', line, '/dev/null'], {
        file: 'script',
        cwd: dir,
        env: { SHELL: '/bin/sh' },
        interactive: true,
      })
    const no = start()
    await no.until('Overwrite A? [y/N]')
    no.child.stdin!.write('\r')
    equal((await no.ended).code, 1)
    deepEqual(await get('ask'), { A: 'other' })
    const yes = start()
    for (const question of ['Overwrite A?', 'Add .env to .gitignore?', 'Remove .env?']) {
      await yes.until(question)
      yes.child.stdin!.write('y\r')
    }
    const { code, out } = await yes.ended
    equal(code, 0)
    ok(!out.includes('asked-value'))
    deepEqual(await get('ask'), { A: 'asked-value' })
    ok(!existsSync(join(dir, '.env')))
  })

  test('export prints what dotenv, a shell and docker read back; and names what they cannot', async () => {
    fresh()
    const data = { A: 'x y', B: `it's "q" #1`, C: 'a\nb', D: '$HOME `id`', E: '' }
    await put('out', data)
    deepEqual({ ...dotenv((await env('export', 'secret/out')).out) }, data)
    const shell = (await env('export', '-as=shell', 'secret/out')).out
    const script = `${shell}\nprintf '%s|' "$A" "$B" "$C" "$D" "$E"`
    const echoed = spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout
    equal(echoed, `${Object.values(data).join('|')}|`)
    for (const flag of ['-as=json', '-format=json']) {
      deepEqual(JSON.parse((await env('export', flag, 'secret/out')).out), data)
    }
    const docker = await env('export', '-as=docker', 'secret/out')
    deepEqual([docker.code, docker.out], [1, ''])
    match(docker.err, /docker has no way to write the name or the value of: C\n/)
    await put('out', { A: 'x "y"', N: 7, O: { a: 1 } })
    equal((await env('export', '-as=docker', 'secret/out')).out, 'A=x "y"\nN=7\nO={"a":1}\n')
    equal((await env('export', 'secret/none')).code, 2)
  })

  test('diff names what differs, never how, and says the rest with its exit code', async () => {
    fresh()
    await put('d/a', { SAME: 'v-same', DIFF: 'v-one', LEFT: 'v-left' })
    await put('d/b', { SAME: 'v-same', DIFF: 'v-two', RIGHT: 'v-right' })
    const { code, out, err } = await env('diff', '-base=secret/d', 'a', 'b')
    equal(code, 1)
    match(
      out,
      /DIFF +different\nLEFT +only in secret\/d\/a\nRIGHT +only in secret\/d\/b\n3 of 4 differ/,
    )
    ok(!/v-/.test(out + err))
    const json = JSON.parse((await env('diff', '-format=json', 'secret/d/a', 'secret/d/b')).out)
    deepEqual(json.variables, [
      { name: 'DIFF', status: 'different' },
      { name: 'LEFT', status: 'only_a' },
      { name: 'RIGHT', status: 'only_b' },
      { name: 'SAME', status: 'same' },
    ])
    equal((await env('diff', 'secret/d/a', 'secret/d/a')).code, 0)
    for (const args of [
      ['secret/d/a'],
      ['a', 'b'],
      ['secret/d/a', 'secret/d/no'],
      ['-x', 'a', 'b'],
    ]) {
      equal((await env('diff', ...args)).code, 2, args.join(' '))
    }
  })

  test('diff compares folders with all below them', async () => {
    fresh()
    await put('t/a/db', { P: '1' })
    await put('t/a/in/side', { Q: '1' })
    await put('t/b/db', { P: '2' })
    const { code, out } = await env('diff', 'secret/t/a/', 'secret/t/b/')
    equal(code, 1)
    match(out, /db#P +different\nin\/side#Q +only in secret\/t\/a\//)
  })

  test('check names every name and reference that is missing', async () => {
    fresh({
      '.env.example': `A=example\nB=\nC=x\nR='vault://secret/c/prod#A'\nS='vault://secret/c/none#A'\n`,
    })
    await put('c/prod', { A: '1' })
    const { code, out } = await env('check', '-base=secret/c', '--env', 'prod')
    equal(code, 1)
    match(out, /B +secret\/c\/prod +not in the environment\nC +secret/)
    match(out, /S +vault:\/\/secret\/c\/none#A +/)
    match(out, /3 of 5 missing/)
    await put('c/prod', { A: '1', B: '', C: '2' })
    await put('c/none', { A: '1' })
    const good = await env('check', '--env', 'secret/c/prod')
    deepEqual([good.code, good.out], [0, 'All 5 are there\n'])
    equal((await env('check', '--env', 'prod')).code, 2)
    writeFileSync(join(dir, 'bare'), 'A=vault://secret/c/prod#A')
    const bare = await env('check', '-file=bare')
    deepEqual(
      [bare.code, bare.err],
      [1, 'hint: a reference needs quotes in a .env file: a bare value ends at the "#"\n'],
    )
    equal((await env('check', '--env', 'secret/c/prod', '--file', 'no')).code, 2)
    const denied = await coffer(server, ['env', 'check', '--env', 'secret/c/prod'], {
      cwd: dir,
      env: { VAULT_TOKEN: 'hvs.bad' },
    })
    equal(denied.code, 2)
  })

  test('promote shows a plan, needs a yes, copies, and leaves what only the target has', async () => {
    fresh()
    await put('p/dev', { A: 'v-1', B: 'v-2', C: 'v-3', N: 7 })
    await put('p/prod', { B: 'v-old', C: 'v-3', MINE: 'v-x' })
    const args = ['-base=secret/p', 'dev', 'prod']
    const no = await env('promote', ...args)
    equal(no.code, 1)
    match(no.out, /A +add\nB +change\nN +add\n3 to change, 1 the same/)
    match(no.err, /nothing was changed: there is nobody to ask\nhint: say -yes/)
    ok(!/v-/.test(no.out + no.err))
    equal((await env('promote', '-dry-run', ...args)).code, 0)
    equal((await api.read('secret/data/p/prod')).at('data.metadata.version'), 1)
    equal((await env('promote', '-yes', ...args, 'A')).code, 0)
    deepEqual(await get('p/prod'), { A: 'v-1', B: 'v-old', C: 'v-3', MINE: 'v-x' })
    equal((await env('promote', '-yes', ...args)).code, 0)
    deepEqual(await get('p/prod'), { A: 'v-1', B: 'v-2', C: 'v-3', MINE: 'v-x', N: 7 })
    equal((await env('promote', '-yes', '-prune', ...args)).code, 0)
    deepEqual(await get('p/prod'), { A: 'v-1', B: 'v-2', C: 'v-3', N: 7 })
    match((await env('promote', '-yes', ...args, 'NO')).err, /secret\/p\/dev has no NO/)
    equal((await env('promote', '-yes', 'secret/p/dev', 'secret/p/new')).code, 0)
    equal((await api.delete('secret/data/p/new')).status, 204)
    equal((await env('promote', '-yes', 'secret/p/dev', 'secret/p/new')).code, 0)
  })

  test(
    'promote is refused when the target changes after the plan',
    { skip: noScript },
    async () => {
      fresh()
      await put('r/dev', { A: '1' })
      await put('r/prod', { A: '0' })
      const line = `${COFFER} env promote -base=secret/r dev prod`
      const running = startCoffer(server, ['-qec', line, '/dev/null'], {
        file: 'script',
        env: { SHELL: '/bin/sh' },
        interactive: true,
      })
      await running.until('Promote? [y/N]')
      await put('r/prod', { A: 'theirs' })
      running.child.stdin!.write('y\r')
      const { code, out } = await running.ended
      equal(code, 2)
      match(out, /was changed by somebody else since the plan was made; nothing was promoted/)
      deepEqual(await get('r/prod'), { A: 'theirs' })
    },
  )

  test('promote of a folder puts everything back when one of its writes fails', async () => {
    fresh()
    for (const name of ['a', 'b', 'c']) await put(`f/dev/${name}`, { V: `dev-${name}` })
    await put('f/prod/a', { V: 'prod-a' })
    // The last one is not writable: its maker has said check-and-set, and the policy says no.
    const policy = `path "secret/*" { capabilities = ["create", "read", "update", "list", "delete", "patch"] }
      path "secret/data/f/prod/c" { capabilities = ["read"] }`
    await api.write('sys/policies/acl/most', { policy })
    const made = await api.write('auth/token/create', { policies: ['most'] })
    const options = { cwd: dir, env: { VAULT_TOKEN: String(made.at('auth.client_token')) } }
    const args = ['env', 'promote', '-yes', 'secret/f/dev/', 'secret/f/prod/']
    const { code, err } = await coffer(server, args, options)
    equal(code, 2)
    match(err, /permission denied.*; nothing was promoted/)
    deepEqual(await get('f/prod/a'), { V: 'prod-a' })
    equal((await api.read('secret/data/f/prod/b')).status, 404)
    equal((await coffer(server, args, { cwd: dir })).code, 0)
    for (const name of ['a', 'b', 'c']) deepEqual(await get(`f/prod/${name}`), { V: `dev-${name}` })
  })
})
