/**
 * The Dockerfile, compose.yaml and .ci/run, as far as they can be held to their word without a
 * container engine: the final stage is read, what it copies is laid out and started, and its health
 * check is run against a server that is open, sealed and gone.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { cleanEnv, startServer } from '../support/server.ts'

type Instruction = { word: string; rest: string }

/** The stages of a Dockerfile; comments and line continuations are gone. */
function stagesOf(text: string): Instruction[][] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
  const stages: Instruction[][] = []
  for (const line of lines) {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (word === 'FROM') stages.push([])
    stages.at(-1)?.push({ word, rest })
  }
  return stages
}

const dockerfile = readFileSync('Dockerfile', 'utf8')
const stages = stagesOf(dockerfile)
const [gather = [], final = []] = stages
const all = (stage: readonly Instruction[], word: string) =>
  stage.filter((one) => one.word === word).map(({ rest }) => rest)
const config = readFileSync('examples/container/coffer.hcl', 'utf8')
const health = JSON.parse(
  all(final, 'HEALTHCHECK')[0]?.replace(/^.*?\bCMD\s+/, '') ?? '[]',
) as string[]

/** What a stage copies from the tree: [sources, target]. */
const copied = (stage: readonly Instruction[]) =>
  all(stage, 'COPY')
    .filter((rest) => !rest.startsWith('--from'))
    .map((rest) => rest.split(/\s+/))
    .map((names) => ({ sources: names.slice(0, -1), target: names.at(-1) ?? '' }))

test('the image does not run as root, and has a health check and volumes', () => {
  equal(stages.length, 2)
  const [user = ''] = all(final, 'USER')
  match(user, /^[1-9]\d*:[1-9]\d*$/)
  ok(final.findIndex(({ word }) => word === 'USER') < final.length - 1)
  equal(all(final, 'HEALTHCHECK').length, 1)
  const volumes = JSON.parse(all(final, 'VOLUME')[0] ?? '') as string[]
  const owned = all(final, 'RUN').find((rest) => rest.includes('install -d -o 10001')) ?? ''
  for (const volume of volumes) ok(owned.includes(volume), volume)
  // Whatever the configuration inside writes is on a volume.
  const written = [...config.matchAll(/path\s+=\s+"([^"]+)"/g)].map(([, path = '']) => path)
  equal(written.length, 2)
  for (const path of written) ok(volumes.includes(dirname(path)), path)
})

test('the image starts what it has, by exec, with the configuration it has', () => {
  const exec = ['ENTRYPOINT', 'CMD'].flatMap(
    (word) => JSON.parse(all(final, word)[0] ?? '[]') as string[],
  )
  deepEqual(exec, ['/opt/coffer/bin/coffer', 'server', '-config=/etc/coffer/coffer.hcl'])
  deepEqual(copied(final), [
    { sources: ['examples/container/coffer.hcl'], target: '/etc/coffer/coffer.hcl' },
  ])
  ok(config.includes(`:${all(final, 'EXPOSE')[0]}"`))
  for (const stage of stages) ok(!/:latest/.test(all(stage, 'FROM').join()))
  ok(!/(TOKEN|PASSWORD|SECRET)=/.test(dockerfile))
})

test('everything the image copies is there and gets past .dockerignore', () => {
  const kept = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))
  const sources = [...copied(gather), ...copied(final)].flatMap((copy) => copy.sources)
  deepEqual(sources.toSorted(), kept.toSorted())
  for (const source of sources) ok(existsSync(source), source)
})

suite('what the image copies, laid out', () => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-layout-'))
  const root = join(dir, 'opt/coffer')
  const env = cleanEnv(dir, { COFFER_NODE: process.execPath })

  before(() => {
    mkdirSync(join(root, 'node_modules'), { recursive: true })
    for (const { sources } of copied(gather)) {
      for (const source of sources) cpSync(source, join(root, source), { recursive: true })
    }
    // As `npm ci --omit=dev` would.
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { dev?: boolean }>
    }
    for (const [path, { dev }] of Object.entries(lock.packages)) {
      const top = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path)
      if (!top || dev) continue
      mkdirSync(dirname(join(root, path)), { recursive: true })
      symlinkSync(resolve(path), join(root, path))
    }
    mkdirSync(join(dir, 'bin'))
    symlinkSync(join(root, 'bin/coffer'), join(dir, 'bin/coffer'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  test('is all that the server needs', async () => {
    const file = join(dir, 'coffer.hcl')
    const moved = config
      .replaceAll(/"\/var\/(lib|log)\/coffer\//g, `"${dir}/`)
      .replace('0.0.0.0:8200', '127.0.0.1:0')
    writeFileSync(file, moved, { mode: 0o600 })
    const child = spawn(join(root, 'bin/coffer'), ['server', `-config=${file}`], { env })
    try {
      let said = ''
      const port = await new Promise<string>((done, refuse) => {
        for (const stream of [child.stdout, child.stderr]) {
          stream.on('data', (chunk: Buffer) => {
            said += chunk.toString()
            const found = /addr: "127\.0\.0\.1:(\d+)"/.exec(said)?.[1]
            if (found) done(found)
          })
        }
        child.once('close', () => refuse(new Error(said)))
      })
      const answer = await fetch(`http://127.0.0.1:${port}/v1/sys/health`)
      equal(answer.status, 501)
    } finally {
      child.kill('SIGTERM')
    }
  })

  test('is all that the app of compose.yaml needs', () => {
    const compose = readFileSync('compose.yaml', 'utf8')
    match(compose, /- \.\/examples\/node-app:\/opt\/coffer\/examples\/node-app:ro/)
    match(compose, /- \/opt\/coffer\/examples\/node-app\/app\.ts/)
    cpSync('examples/node-app', join(root, 'examples/node-app'), { recursive: true })
    writeFileSync(join(dir, 'secret-id'), 'none')
    const app = spawnSync(process.execPath, ['--no-warnings', 'examples/node-app/app.ts'], {
      cwd: root,
      env: {
        ...env,
        VAULT_ADDR: 'http://127.0.0.1:1',
        VAULT_ROLE_ID: 'none',
        VAULT_SECRET_ID_FILE: join(dir, 'secret-id'),
      },
      encoding: 'utf8',
    })
    match(app.stderr, /^shop cannot start \(network\)/)
    equal(app.status, 1)
  })

  test('is well when open or sealed, and unwell when nobody answers', async () => {
    await using server = await startServer({ kind: 'config' })
    const check = () => {
      const path = `${join(dir, 'bin')}:${process.env['PATH']}`
      const checked = { ...env, PATH: path, VAULT_ADDR: server.address }
      return spawnSync(health[0] ?? '', health.slice(1), { env: checked }).status
    }
    equal(check(), 0)
    await server.restart({ unseal: false })
    equal(check(), 0)
    await server.stop()
    equal(check(), 1)
  })
})

test('compose.yaml names what the image has, and keeps its port to this machine', () => {
  const compose = readFileSync('compose.yaml', 'utf8')
  for (const volume of JSON.parse(all(final, 'VOLUME')[0] ?? '[]') as string[]) {
    match(compose, new RegExp(`- \\w+:${volume}\\n`))
  }
  match(compose, /- "127\.0\.0\.1:8200:8200"/)
  ok(!/\t/.test(compose))
  ok(!/privileged: true|network_mode: host/.test(compose))
})

test('.ci/run is a script that can be run and reaches for nothing by address', () => {
  const text = readFileSync('.ci/run', 'utf8')
  ok(statSync('.ci/run').mode & 0o100)
  equal(spawnSync('bash', ['-n', '.ci/run']).status, 0)
  ok(!/https?:|registry|index-url/.test(text))
  for (const line of ['set -euo pipefail', 'exec < /dev/null', 'COFFER_TEST_STRICT=1 npm test']) {
    ok(text.includes(line), line)
  }
  const pinned = readFileSync('test/requirements.txt', 'utf8').trim().split('\n')
  for (const line of pinned) match(line, /^[\w-]+==[\d.]+$/)
})
