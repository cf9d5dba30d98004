/** The packed client: what is in it, and that it works on an older Node, away from this tree. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { tokenOf } from '../support/scan.ts'
import { FakeServer } from './fake-server.ts'

const root = resolve(import.meta.dirname, '../..')
const UNPACKED_BYTES_MAX = 260_000
let dir: string
let installed: string

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'coffer-pack-test-'))
  installed = join(dir, 'node_modules/coffer-client')
  mkdirSync(installed, { recursive: true })
  const pack = [join(root, 'scripts/pack.ts'), 'client', `--out=${dir}`]
  const tarball = execFileSync(process.execPath, ['--no-warnings', ...pack], { encoding: 'utf8' })
  execFileSync('tar', ['-xzf', tarball.trim(), '-C', installed, '--strip-components=1'])
})
after(() => rmSync(dir, { recursive: true, force: true }))

/** The machine's own Node, which may be older than the one in node_modules; at least 20. */
function machineNode(): { path: string; version: string } | undefined {
  const places = (process.env['PATH'] ?? '').split(delimiter)
  for (const place of places.filter((path) => !path.includes('node_modules'))) {
    const path = join(place, 'node')
    const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    if (status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) >= 20) {
      return { path, version: stdout.trim() }
    }
  }
  return undefined
}

test('the packed client has no dependencies, and nothing in it but the client', () => {
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as object
  const kinds = Object.keys(manifest).filter((key) => /dependencies|scripts|bin/i.test(key))
  deepEqual(kinds, [])
  const files = globSync('**/*.*', { cwd: installed })
  const strange = files.filter(
    (file) =>
      !/^(dist\/(client|client\/rotating|lib)\/[a-z0-9-]+\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/.test(
        file,
      ),
  )
  deepEqual(
    strange.filter((file) => !statSync(join(installed, file)).isDirectory()),
    [],
  )
  const bytes = files.reduce((sum, file) => sum + statSync(join(installed, file)).size, 0)
  ok(bytes < UNPACKED_BYTES_MAX, `${bytes} bytes`)
  for (const file of files.filter((name) => name.startsWith('dist/') && /\.(js|ts)$/.test(name))) {
    const imports = readFileSync(join(installed, file), 'utf8').matchAll(/from '([^']+)'/g)
    const foreign = [...imports].filter(([, name = '']) => !/^(node:|\.{1,2}\/.*\.js$)/.test(name))
    deepEqual(foreign, [], file)
  }
})

const PROGRAM = `
import { inspect } from 'node:util'
import { createServer } from 'node:http'
import {
  appRole, connect, loadConfig, MissingError, openSecrets, reveal, rotatingFetch,
} from 'coffer-client'
const client = await connect({
  address: process.argv[2],
  auth: appRole({ roleId: 'fake-role', secretId: 'fake-secret-id' }),
})
const config = await loadConfig(
  { port: 8080, url: 'postgres://u:\${vault://secret/db#pw}@h/db', pin: 'vault://secret/db#pin' },
  { client },
)
const seen = []
const { ready } = client.follow('vault://secret/db#pw', (secret) => void seen.push(secret.reveal()))
await ready
const { data } = await client.kv().read('db')
await client.kv().write('copy', data)
const error = await client.kv().read('none').catch((e) => e)
await client[Symbol.asyncDispose]()
const own = {
  address: process.argv[2],
  auth: appRole({ roleId: 'fake-role', secretId: 'fake-secret-id' }),
}
const secrets = openSecrets({ connect: own, offline: { file: 'offline' } })
const kept = await secrets.get('vault://secret/db#pw')
await secrets.close()
const api = createServer((request, answer) => answer.end(request.headers.authorization))
await new Promise((done) => api.listen(0, '127.0.0.1', done))
const origin = 'http://127.0.0.1:' + api.address().port
const call = await rotatingFetch('vault://secret/db#pw', { connect: own, origin })
const authorization = await (await call(origin)).text()
await call.close()
api.close()
api.closeAllConnections()
console.log(JSON.stringify({
  version: process.version,
  config,
  revealed: reveal(config),
  seen,
  pin: String(data.pin),
  shown: inspect(config.pin),
  missing: error instanceof MissingError,
  kept: kept.reveal(),
  authorization,
}))
`

test('the packed client runs on the Node of this machine', async (t) => {
  await using fake = await FakeServer.start()
  fake.put('secret/db', '{"pw":"p@ss","pin":12345678901234567890}')
  writeFileSync(join(dir, 'program.mjs'), PROGRAM)
  const found = machineNode()
  if (!found) t.diagnostic(`no Node outside node_modules: ran on ${process.version}`)
  const node = found?.path ?? process.execPath
  const { stdout, stderr } = await promisify(execFile)(node, ['program.mjs', fake.address], {
    cwd: dir,
    timeout: 10_000,
    env: { PATH: process.env['PATH'] ?? '' },
  })
  equal(stderr, '')
  deepEqual(JSON.parse(stdout), {
    version: found?.version ?? process.version,
    config: { port: 8080, url: '[secret]', pin: '[secret]' },
    revealed: { port: 8080, url: 'postgres://u:p%40ss@h/db', pin: '12345678901234567890' },
    seen: ['p@ss'],
    pin: '12345678901234567890',
    shown: '[secret secret/db#pin v1]',
    missing: true,
    kept: 'p@ss',
    authorization: 'Bearer p@ss',
  })
  equal(fake.versions.get('secret/copy')?.[0]?.text, '{"pw":"p@ss","pin":12345678901234567890}')
})

test('the packed client has types that a strict program compiles against', () => {
  const program = `
import { connect, loadConfig, reveal, rotatingPg, type Secret, token } from 'coffer-client'
await using client = await connect({ auth: token('x'), signal: AbortSignal.timeout(1) })
const config = await loadConfig({ pw: 'vault://a/b#c', port: 1, host: 'h' as string }, { client })
export const pw: Secret = config.pw
export const text: string = reveal(config).host
export const port: 1 = config.port
// @ts-expect-error A secret is not a text.
export const wrong: string = config.pw
declare const pg: {
  Pool: new (config?: { host?: string }) => { query(text: string): Promise<number> }
  Client: new (config?: { host?: string }) => object
}
const pool = await rotatingPg(pg, 'vault://a/b', { client, pool: { host: 'h' } })
export const rows: number = await pool.query('SELECT 1')
// @ts-expect-error No such option of the pool.
await rotatingPg(pg, 'vault://a/b', { client, pool: { hots: 'h' } })
`
  deepEqual(typeErrors(dir, program), [])
})

/** What the compiler says of a strict program beside the packages that it uses. */
function typeErrors(folder: string, program: string): string[] {
  writeFileSync(join(folder, 'program.mts'), program)
  const options = {
    target: 'es2022',
    lib: ['es2022', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    skipLibCheck: false,
  }
  const config = JSON.stringify({ compilerOptions: options, files: ['program.mts'] })
  writeFileSync(join(folder, 'tsconfig.json'), config)
  const tsc = join(root, 'node_modules/.bin/tsc')
  const { stdout, status } = spawnSync(tsc, ['-p', folder], { encoding: 'utf8' })
  ok(status === 0 || stdout.includes('@types'), stdout)
  return stdout.split('\n').filter((line) => line.trim() !== '' && !line.includes('@types'))
}

const DOORS = `
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { masked, newTally, rules, scanPaths, scanText } from 'coffer/scan'
import { createScrubber } from 'coffer/scrub'
import { assertNoSecrets, secretsIn } from 'coffer/testing'
const [token] = process.argv.slice(2)
const [{ line, rule, secret }] = scanText('a\\nx = ' + token, { path: 'a.env' })
deepEqual([line, rule, secret], [2, 'github-pat', token])
equal(masked(secret), 'ghp_********')
ok(rules.length > 600)
const tally = newTally()
for await (const finding of scanPaths([import.meta.filename], { tally })) ok(finding)
equal(tally.files, 1)
const known = { value: 'Zk7pQ2xV9mR4tL8w', name: 'db' }
equal(createScrubber({ values: [known] }).text('pw ' + known.value), 'pw [secret db]')
const encoded = 'x\\n' + Buffer.from('u:' + known.value).toString('base64')
equal(secretsIn(encoded, { values: [known] })[0].line, 2)
assertNoSecrets('nothing here', { values: [known], rules: true })
throws(() => assertNoSecrets('x ' + known.value, { values: [known] }), (error) => {
  return error.code === 'ERR_ASSERTION' && /db at 1:3/.test(error.message) && !error.message.includes(known.value)
})
throws(() => assertNoSecrets('x ' + token, { rules: true }), /github-pat at 1:3/)
throws(() => assertNoSecrets('x', { values: [{ value: 'a', name: 'n' }] }), /too short/)
throws(() => assertNoSecrets('x', {}), /nothing to look for/)
`

const DOORS_TYPED = `
import { type Finding, type Rule, rules, scanText } from 'coffer/scan'
import { createScrubber } from 'coffer/scrub'
import { assertNoSecrets, type Spotted, secretsIn } from 'coffer/testing'
export const found: Finding[] = scanText('x', { path: 'a' })
export const first: Rule | undefined = rules[0]
export const spotted: Spotted[] = secretsIn(new Uint8Array(), { values: [] })
export const text: string = createScrubber().text('x')
assertNoSecrets('x', { rules: true })
// @ts-expect-error A path is a text.
scanText('x', { path: 1 })
`

test('the doors of the whole package: scan, scrub and testing, with their types', () => {
  const doors = join(dir, 'doors')
  const at = join(doors, 'node_modules/coffer')
  mkdirSync(at, { recursive: true })
  const pack = [join(root, 'scripts/pack.ts'), 'whole', '--only=./scan,./scrub,./testing']
  const argv = ['--no-warnings', ...pack, `--out=${doors}`]
  const tarball = execFileSync(process.execPath, argv, { encoding: 'utf8' })
  execFileSync('tar', ['-xzf', tarball.trim(), '-C', at, '--strip-components=1'])
  writeFileSync(join(doors, 'program.mjs'), DOORS)
  const token = tokenOf('doors')
  const { stderr } = spawnSync(process.execPath, [join(doors, 'program.mjs'), token], {
    encoding: 'utf8',
  })
  equal(stderr, '')
  deepEqual(typeErrors(doors, DOORS_TYPED), [])
})
