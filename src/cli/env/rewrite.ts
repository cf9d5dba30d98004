/** Replaces the values in a `.env` file by references, and leaves all else in it as it was. */
import { randomUUID } from 'node:crypto'
import { chmodSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hasReference } from '../../client/reference.ts'
import { type EnvFile } from '../../lib/env-file.ts'

/** The new text is complete before it takes the old one's place. Line ends become `\n`. */
export function rewriteToReferences(file: string, read: EnvFile, path: string): void {
  const next = `${file}.${randomUUID()}`
  try {
    writeFileSync(next, withReferences(read, path), { flag: 'wx', mode: 0o600 })
    chmodSync(next, statSync(file).mode & 0o777)
    renameSync(next, file)
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  }
}

export function withReferences({ entries, text }: EnvFile, path: string): string {
  const place = path.split('/').map(encodeURIComponent).join('/')
  let out = ''
  let at = 0
  for (const { name, value, from, to } of entries) {
    if (hasReference(value)) continue
    // In quotes, since a bare value would end at the "#".
    out += `${text.slice(at, from)}"vault://${place}#${encodeURIComponent(name)}"`
    at = to
  }
  return out + text.slice(at)
}
