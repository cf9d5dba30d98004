/**
 * A reference to a whole secret or credential: `vault://database/static-creds/app`. A field may be
 * named where only one is wanted (`vault://secret/vendor#key`).
 */
import { ConfigError } from '../errors.ts'
import { parseReference } from '../reference.ts'

export type SourceReference = {
  /** Mount and path as callers read them, without `data/`: `secret/app/db`. */
  path: string
  field: readonly string[] | undefined
  /** As written. */
  text: string
}

/** Throws ConfigError. A version cannot be asked for: what is followed has none. */
export function parseSourceReference(written: string): SourceReference {
  const text = written.trim()
  const hasField = text.includes('#')
  const { mount, path, field, version } = parseReference(hasField ? text : `${text}#all`)
  if (version !== undefined) {
    const reason = 'names a version, which never changes: leave ?version= out'
    throw new ConfigError([{ at: '', reference: text, reason }])
  }
  return { path: `${mount}/${path}`, field: hasField ? field : undefined, text }
}
