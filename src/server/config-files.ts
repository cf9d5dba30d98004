/** The files of a configuration: one by one as named, or all `*.hcl` and `*.json` of a folder. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Report } from './config-report.ts'

/** `private`: nobody but the owner can read it. */
export type Source = { readonly file: string; readonly text: string; readonly private?: boolean }

const FILE_BYTES_MAX = 1024 * 1024
const EXPECTED = 'a configuration file, or a folder with *.hcl and *.json files'

/** Tells a problem for each path that gives nothing to read. */
export function readSources(paths: readonly string[], report: Report): Source[] {
  return paths.flatMap((path) => {
    try {
      if (!statSync(path).isDirectory()) return readSource(path, report)
      const files = readdirSync(path)
        .filter((name) => /\.(?:hcl|json)$/.test(name) && !name.startsWith('.'))
        .sort()
      if (files.length === 0) report.problem({ file: path }, 'no files in this folder', EXPECTED)
      return files.flatMap((name) => readSource(join(path, name), report))
    } catch (error) {
      tellTrouble(path, error, report)
      return []
    }
  })
}

function readSource(file: string, report: Report): Source[] {
  try {
    const { bytes, mode } = readBytes(file)
    if (bytes.length > FILE_BYTES_MAX) {
      report.problem({ file }, 'the file is too large', 'at most 1 MiB')
      return []
    }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return [{ file, text, private: (mode & 0o044) === 0 }]
  } catch (error) {
    tellTrouble(file, error, report)
    return []
  }
}

/** At most one byte too many, so that even an endless device comes to an end. */
function readBytes(file: string): { bytes: Buffer; mode: number } {
  const fd = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1)
    let length = 0
    while (length < bytes.length) {
      const more = readSync(fd, bytes, length, bytes.length - length, null)
      if (more === 0) break
      length += more
    }
    return { bytes: bytes.subarray(0, length), mode: fstatSync(fd).mode }
  } finally {
    closeSync(fd)
  }
}

function tellTrouble(file: string, error: unknown, report: Report): void {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') report.problem({ file }, 'no such file or folder', EXPECTED)
  else if (code === 'EACCES' || code === 'EPERM') {
    report.problem({ file }, 'permission denied', 'a file that the server may read')
  } else if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
    report.problem({ file }, 'the file is not UTF-8 text', EXPECTED)
  } else report.problem({ file }, `cannot be read (${code ?? 'unknown trouble'})`, EXPECTED)
}
