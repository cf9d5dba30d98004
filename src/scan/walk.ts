/**
 * The files below some paths. In a repository git is asked which they are, so that what it ignores is
 * ignored in just its way; elsewhere the ignore files are read here. Nothing is passed over silently:
 * what is left out is told with its reason.
 */
import { type Dirent, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { listed, type Listed } from './git.ts'
import { type IgnoreRules, parseIgnore } from './ignore-file.ts'

export type FileToScan = {
  readonly path: string
  readonly bytes: number
  /** What the file is called where that is no UTF-8. */
  readonly raw?: Uint8Array
}

export type SkipReason =
  | 'ignored'
  | 'binary'
  | 'empty'
  | 'too large'
  | 'unreadable'
  | 'not a file'
  | 'symbolic link'
  | 'vanished'
  | 'not in this clone'
  | 'encrypted'
  | 'nested too deeply'
  | 'archive not readable'

export type Skips = { add(reason: SkipReason, path: string): void }

export type WalkOptions = {
  readonly skips: Skips
  /** Files that ignore files leave out are scanned all the same. */
  readonly noIgnore?: boolean
}

const GIT_FOLDER = Buffer.from('.git')
const IGNORE_FILES = ['.gitignore', '.ignore', '.cofferignore']

/** Throws an Error with the system's code where a path that was named cannot be looked at. */
export async function* filesBelow(
  paths: readonly string[],
  options: WalkOptions,
): AsyncGenerator<FileToScan> {
  const seen = new Set<string>()
  for (const path of paths) {
    const stat = statSync(path)
    if (stat.isFile()) {
      if (isNew({ path, bytes: stat.size }, seen)) yield { path, bytes: stat.size }
    } else if (stat.isDirectory()) yield* folder({ path }, seen, options)
    else options.skips.add('not a file', path)
  }
}

async function* folder(
  name: Named,
  seen: Set<string>,
  options: WalkOptions,
): AsyncGenerator<FileToScan> {
  const byGit = options.noIgnore || name.raw ? undefined : await listed(name.path)
  if (byGit === undefined) {
    for (const file of below(name, [], options)) if (isNew(file, seen)) yield file
    return
  }
  for (const file of fromGit(name.path, byGit, options)) {
    // A repository in the repository: a submodule, or a clone that somebody made here.
    if (file.bytes === IS_FOLDER) yield* folder(file, seen, options)
    else if (isNew(file, seen)) yield file
  }
}

type Named = Pick<FileToScan, 'path' | 'raw'>
const IS_FOLDER = -1
const SLASH = Buffer.from('/')

/** How the system is asked for it. */
const fileOf = ({ path, raw }: Named) => (raw ? Buffer.from(raw) : path)

/** A name below another; shown with marks where it is no UTF-8, and opened by its bytes. */
function inFolder(parent: Named, name: Buffer): Named {
  const text = name.toString('utf8')
  const path = join(parent.path, text)
  if (parent.raw === undefined && Buffer.from(text).equals(name)) return { path }
  return { path, raw: Buffer.concat([Buffer.from(parent.raw ?? parent.path), SLASH, name]) }
}

/** The same file by two names is one file. */
function isNew(file: FileToScan, seen: Set<string>): boolean {
  const real = realOf(file)
  if (seen.has(real)) return false
  seen.add(real)
  return true
}

function realOf(file: Named): string {
  try {
    return realpathSync.native(fileOf(file), { encoding: 'latin1' })
  } catch {
    return file.path
  }
}

function* fromGit(
  parent: string,
  { names, ignored }: Listed,
  options: WalkOptions,
): Generator<FileToScan> {
  for (const name of ignored) options.skips.add('ignored', join(parent, name.toString('utf8')))
  const own = ignoreIn({ path: parent }, ['.cofferignore'])
  const seen = new Set<string>()
  for (const name of names) {
    const key = name.toString('latin1')
    // A file in conflict is listed once for each side.
    if (seen.has(key)) continue
    seen.add(key)
    const file = inFolder({ path: parent }, name)
    if (own && ignoredOnTheWay(own, name.toString('utf8'))) options.skips.add('ignored', file.path)
    else {
      const there = fileAt(file, options)
      if (there) yield there
    }
  }
}

function ignoredOnTheWay(rules: IgnoreRules, name: string): boolean {
  const parts = name.split('/')
  return parts.some((_, i) => {
    const isFolder = i < parts.length - 1
    return rules.verdict(parts.slice(0, i + 1).join('/'), isFolder) === 'ignored'
  })
}

type Level = { readonly folder: string; readonly rules: IgnoreRules }

function* below(
  parent: Named,
  above: readonly Level[],
  options: WalkOptions,
): Generator<FileToScan> {
  let entries: Dirent<Buffer>[]
  try {
    entries = readdirSync(fileOf(parent), { withFileTypes: true, encoding: 'buffer' })
  } catch {
    options.skips.add('unreadable', parent.path)
    return
  }
  const rules = options.noIgnore ? undefined : ignoreIn(parent, IGNORE_FILES)
  const levels = rules ? [...above, { folder: parent.path, rules }] : above
  for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
    // What is in it is history; -history reads that.
    if (entry.name.equals(GIT_FOLDER)) continue
    const named = inFolder(parent, entry.name)
    if (isIgnored(named.path, entry.isDirectory(), levels)) options.skips.add('ignored', named.path)
    // A link to a folder is not followed: what it leads to is scanned under its own name, or not asked for.
    else if (entry.isDirectory()) yield* below(named, levels, options)
    else {
      const file = fileAt(named, options)
      if (file) yield file
    }
  }
}

function isIgnored(path: string, isFolder: boolean, levels: readonly Level[]): boolean {
  for (const { folder, rules } of levels.toReversed()) {
    const verdict = rules.verdict(relative(folder, path).split(sep).join('/'), isFolder)
    if (verdict) return verdict === 'ignored'
  }
  return false
}

function ignoreIn(parent: Named, names: readonly string[]): IgnoreRules | undefined {
  if (parent.raw) return undefined
  const texts = names.map((name) => textOf(join(parent.path, name))).filter((text) => text !== '')
  return texts.length === 0 ? undefined : parseIgnore(texts.join('\n'))
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function fileAt(named: Named, { skips }: WalkOptions): FileToScan | undefined {
  try {
    const stat = lstatSync(fileOf(named))
    if (stat.isFile()) return { ...named, bytes: stat.size }
    if (stat.isDirectory()) return { ...named, bytes: IS_FOLDER }
    skips.add(stat.isSymbolicLink() ? 'symbolic link' : 'not a file', named.path)
  } catch (error) {
    const gone = (error as NodeJS.ErrnoException).code === 'ENOENT'
    skips.add(gone ? 'vanished' : 'unreadable', named.path)
  }
  return undefined
}
