/**
 * Makes the two tarballs that are published: `coffer`, the whole with its command, and
 * `coffer-client`, the client alone for older Nodes and without any dependency.
 *
 *   npm run pack                         both, into dist-pack/
 *   npm run pack -- client --out=/some   one of them, elsewhere
 *   … -- whole --only=./scan,./testing   of the whole, what these doors need: for tests
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

type Manifest = Record<string, unknown> & { version: string; license: string }
type Build = { target: string; lib: string[]; files: string[] }

const root = resolve(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

const flag = process.argv.find((word) => word.startsWith('--out='))
const out = resolve(flag?.slice('--out='.length) ?? join(root, 'dist-pack'))
const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length)
const names = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const packs: Record<string, (dir: string) => void> = { whole: packWhole, client: packClient }

for (const name of names.length > 0 ? names : Object.keys(packs)) {
  const make = packs[name]
  if (!make) throw new Error(`nothing to pack is named "${name}": say whole or client`)
  const dir = mkdtempSync(join(tmpdir(), 'coffer-pack-'))
  try {
    make(dir)
    mkdirSync(out, { recursive: true })
    const tarball = run(
      'npm',
      ['pack', '--silent', '--ignore-scripts', `--pack-destination=${out}`],
      dir,
    )
    console.log(join(out, tarball.trim().split('\n').at(-1) ?? ''))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function packWhole(dir: string): void {
  const doors = doorsOf(manifest['exports'] as Record<string, string>)
  const files =
    only === undefined
      ? globSync('src/**/*.ts', { cwd: root, exclude: ['**/*.test.ts'] })
      : Object.values(doors)
  const target = { target: 'es2024', lib: ['es2024', 'esnext'] }
  compile(dir, { ...target, files })
  // Tables and pages that the sources read beside themselves.
  for (const file of globSync('src/**/*.*', {
    cwd: root,
    exclude: ['**/*.ts', '**/testdata/**'],
  })) {
    cpSync(join(root, file), join(dir, file.replace(/^src/, 'dist')), { recursive: true })
  }
  const extra = ['bin', 'ui/dist', 'README.md', 'LICENSE'].filter((path) =>
    existsSync(join(root, path)),
  )
  for (const path of extra) cpSync(join(root, path), join(dir, path), { recursive: true })
  const { devDependencies: _dev, scripts: _scripts, allowScripts: _allow, ...kept } = manifest
  writeManifest(dir, { ...kept, exports: built(doors), files: ['dist', ...extra] })
}

function doorsOf(all: Record<string, string>): Record<string, string> {
  if (only === undefined) return all
  return Object.fromEntries(Object.entries(all).filter(([name]) => only.split(',').includes(name)))
}

function packClient(dir: string): void {
  // The libraries say what Node 20 has: anything newer is a type error here.
  const target = { target: 'es2022', lib: ['es2022', 'esnext.disposable'] }
  compile(dir, { ...target, files: ['src/client/client.ts'] })
  cpSync(join(root, 'src/client/README.md'), join(dir, 'README.md'))
  const license = join(root, 'LICENSE')
  if (existsSync(license)) cpSync(license, join(dir, 'LICENSE'))
  writeManifest(dir, {
    name: 'coffer-client',
    version: manifest.version,
    description: 'Reads secrets from any server that speaks the Vault API; no dependencies',
    license: manifest.license,
    type: 'module',
    engines: { node: '>=20' },
    sideEffects: false,
    exports: { '.': built('./src/client/client.ts') },
    files: ['dist'],
  })
}

/** Compiles the files, and what they import, into `<dir>/dist`. */
function compile(dir: string, { target, lib, files }: Build): void {
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      target,
      lib,
      noEmit: false,
      noEmitOnError: true,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      rootDir: join(root, 'src'),
      outDir: join(dir, 'dist'),
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: [],
    files: files.map((file) => join(root, file)),
  }
  const path = join(dir, 'tsconfig.json')
  writeFileSync(path, JSON.stringify(config))
  run(join(root, 'node_modules/.bin/tsc'), ['-p', path], root)
  rmSync(path)
  for (const file of globSync('dist/**/*.{js,d.ts}', { cwd: dir })) {
    const text = readFileSync(join(dir, file), 'utf8')
    // The compiler rewrites neither the URL of a worker nor the imports of a declaration.
    const named = /(new URL\(\s*|from |import\()(['"])(\.[^'"]*)\.ts\2/g
    const fixed = text.replace(named, '$1$2$3.js$2')
    if (fixed !== text) writeFileSync(join(dir, file), fixed)
  }
}

/** The doors of the sources as the doors of what was built. */
function built(door: unknown): unknown {
  if (typeof door === 'string') {
    const path = /^\.\/src\/(.+)\.ts$/.exec(door)?.[1]
    return path === undefined
      ? door
      : { types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` }
  }
  if (typeof door !== 'object' || door === null) return door
  return Object.fromEntries(Object.entries(door).map(([name, value]) => [name, built(value)]))
}

function writeManifest(dir: string, content: Record<string, unknown>): void {
  writeFileSync(join(dir, 'package.json'), `${JSON.stringify(content, null, 2)}\n`)
}

function run(command: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} failed:\n${stdout}${stderr}`, { cause: error })
  return stdout
}
