/**
 * The files below some paths. In a repository git is asked which they are, so that what it ignores is
 * ignored in just its way; elsewhere the ignore files are read here. Nothing is passed over silently:
 * what is left out is told with its reason.
 */
import { execFile } from 'node:child_process'
import { type Dirent, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { type IgnoreRules, parseIgnore } from './ignore-file.ts'

export type FileToScan = { readonly path: string; readonly bytes: number }

export type SkipReason =
  | 'ignored'
  | 'binary'
  | 'empty'
  | 'too large'
  | 'unreadable'
  | 'not a file'
  | 'link out of reach'
  | 'vanished'
  | 'archive not readable'

export type Skips = { add(reason: SkipReason, path: string): void }

export type WalkOptions = {
  readonly skips: Skips
  /** Files that ignore files leave out are scanned all the same. */
  readonly noIgnore?: boolean
}

const IGNORE_FILES = ['.gitignore', '.ignore', '.cofferignore']
const run = promisify(execFile)

/** Throws an Error with the system's code where a path that was named cannot be looked at. */
export async function* filesBelow(
  paths: readonly string[],
  options: WalkOptions,
): AsyncGenerator<FileToScan> {
  const seen = new Set<string>()
  for (const path of paths) {
    const stat = statSync(path)
    if (stat.isFile()) {
      if (isNew(path, seen)) yield { path, bytes: stat.size }
    } else if (stat.isDirectory()) {
      const listed = options.noIgnore ? undefined : await listedByGit(path)
      for (const file of listed ? fromGit(path, listed, options) : below(path, [], options)) {
        if (isNew(file.path, seen)) yield file
      }
    } else options.skips.add('not a file', path)
  }
}

/** The same file by two names is one file. */
function isNew(path: string, seen: Set<string>): boolean {
  const real = realOf(path)
  if (seen.has(real)) return false
  seen.add(real)
  return true
}

function realOf(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}

/** Names relative to the folder, or undefined where it is no part of a work tree. */
async function listedByGit(folder: string): Promise<string[] | undefined> {
  const args = ['-C', folder, 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
  try {
    const { stdout } = await run('git', [...args, '--', '.'], {
      encoding: 'buffer',
      maxBuffer: 1024 ** 3,
    })
    const names = stdout.toString('utf8').split('\0')
    names.pop()
    // Git says nothing of what lies below an ignored folder; somebody has named that one.
    return names.length === 0 ? undefined : [...new Set(names)]
  } catch {
    return undefined
  }
}

function* fromGit(
  folder: string,
  names: readonly string[],
  options: WalkOptions,
): Generator<FileToScan> {
  const own = ignoreIn(folder, ['.cofferignore'])
  for (const name of names) {
    const path = join(folder, name)
    if (own && ignoredOnTheWay(own, name)) {
      options.skips.add('ignored', path)
      continue
    }
    const file = fileAt(path, options)
    if (file) yield file
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
  folder: string,
  above: readonly Level[],
  options: WalkOptions,
): Generator<FileToScan> {
  let entries: Dirent[]
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    options.skips.add('unreadable', folder)
    return
  }
  const rules = options.noIgnore ? undefined : ignoreIn(folder, IGNORE_FILES)
  const levels = rules ? [...above, { folder, rules }] : above
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.name === '.git' && above.length + entries.length > 0) continue
    if (isIgnored(path, entry.isDirectory(), levels)) options.skips.add('ignored', path)
    // A link to a folder is not followed: what it leads to is scanned under its own name, or not asked for.
    else if (entry.isDirectory()) yield* below(path, levels, options)
    else {
      const file = fileAt(path, options)
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

function ignoreIn(folder: string, names: readonly string[]): IgnoreRules | undefined {
  const texts = names.map((name) => textOf(join(folder, name))).filter((text) => text !== '')
  return texts.length === 0 ? undefined : parseIgnore(texts.join('\n'))
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function fileAt(path: string, { skips }: WalkOptions): FileToScan | undefined {
  try {
    const stat = lstatSync(path)
    if (stat.isFile()) return { path, bytes: stat.size }
    skips.add(stat.isSymbolicLink() ? 'link out of reach' : 'not a file', path)
  } catch (error) {
    const gone = (error as NodeJS.ErrnoException).code === 'ENOENT'
    skips.add(gone ? 'vanished' : 'unreadable', path)
  }
  return undefined
}
