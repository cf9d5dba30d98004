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
  writeFileSync(join(dir, 'program.mts'), program)
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
  writeFileSync(join(dir, 'tsconfig.json'), config)
  const tsc = join(root, 'node_modules/.bin/tsc')
  const { stdout, status } = spawnSync(tsc, ['-p', dir], { encoding: 'utf8' })
  const own = stdout.split('\n').filter((line) => !line.includes('@types'))
  equal(own.join('\n').trim(), '', stdout)
  ok(status === 0 || stdout.includes('@types'))
})
