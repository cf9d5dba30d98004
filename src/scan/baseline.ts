/**
 * What is known and accepted: a file that a team commits, so that a scan tells only what is new. It
 * holds no secret, no line, no commit and no time, so it changes only when findings do, and a file that
 * is moved or a history that is rebased changes nothing.
 *
 *   {
 *     "format": "coffer-baseline/1",
 *     "salt": "<base64, 32 bytes>",
 *     "findings": [
 *       {"fingerprint":"<24 hex>","rule":"github-token","path":"config/app.yml"},
 *
 * The salt is the key of the fingerprints, random, and stands in the file. It makes fingerprints of two projects differ; whoever has
 * the file can test guesses, as with a list of hashes.
 */
import { isObject } from '../lib/json.ts'
import { crypto } from '../lib/node-crypto.ts'
import type { Finding } from './finding.ts'

export type BaselineEntry = Pick<Finding, 'fingerprint' | 'rule' | 'path'>
export type Baseline = { readonly key: string; readonly findings: readonly BaselineEntry[] }

const FORMAT = 'coffer-baseline/1'
const KEY_BYTES = 32

/** Says what is wrong with a file of this kind or of another tool's. */
export class BaselineError extends Error {
  override readonly name = 'BaselineError'
}

export const newKey = (): string => crypto().randomBytes(KEY_BYTES).toString('base64')

/** Throws a BaselineError. */
export function parseBaseline(text: string): Baseline {
  const file = objectIn(text)
  if (file['format'] !== FORMAT) throw new BaselineError(`its format is not ${FORMAT}`)
  const { salt: key, findings } = file
  if (typeof key !== 'string' || Buffer.from(key, 'base64').length !== KEY_BYTES) {
    throw new BaselineError('its salt is not 32 bytes in base 64')
  }
  if (!Array.isArray(findings)) throw new BaselineError('it has no list of findings')
  return { key, findings: findings.map(entryOf) }
}

function entryOf(value: unknown, i: number): BaselineEntry {
  if (isObject(value)) {
    const { fingerprint, rule, path } = value
    const whole = typeof fingerprint === 'string' && /^[0-9a-f]{24}$/.test(fingerprint)
    if (whole && typeof rule === 'string' && typeof path === 'string')
      return { fingerprint, rule, path }
  }
  throw new BaselineError(`finding ${i + 1} lacks a fingerprint, a rule or a path`)
}

/** One finding a line, sorted: two people who add one each do not conflict more often than they must. */
export function baselineText({ key, findings }: Baseline): string {
  const lines = new Set(
    findings
      .toSorted(
        (a, b) =>
          order(a.path, b.path) || order(a.rule, b.rule) || order(a.fingerprint, b.fingerprint),
      )
      .map(({ fingerprint, rule, path }) => `    ${JSON.stringify({ fingerprint, rule, path })}`),
  )
  const list = lines.size === 0 ? '[]' : `[\n${[...lines].join(',\n')}\n  ]`
  return `{\n  "format": "${FORMAT}",\n  "salt": "${key}",\n  "findings": ${list}\n}\n`
}

/** By code units: the same on every machine, whatever its language. */
const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

function objectIn(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch {
    // JSON.parse would quote the file.
  }
  throw new BaselineError('it is no JSON object')
}

/** detect-secrets' own file: SHA-1 of each secret. Throws a BaselineError. */
export function parseSecretsBaseline(text: string): ReadonlySet<string> {
  const { results } = objectIn(text)
  if (!isObject(results)) throw new BaselineError('it has no results')
  const hashes = new Set<string>()
  for (const list of Object.values(results)) {
    if (!Array.isArray(list)) throw new BaselineError('a file in its results has no list')
    for (const one of list as unknown[]) {
      const hash = isObject(one) ? one['hashed_secret'] : undefined
      if (typeof hash !== 'string') throw new BaselineError('a result has no hashed_secret')
      hashes.add(hash.toLowerCase())
    }
  }
  return hashes
}

/** A line of `.gitleaksignore`: `file:rule:line`, or with a commit before it. */
export type IgnoredPlace = {
  readonly commit: string | undefined
  readonly path: string
  readonly rule: string
  readonly line: number
}

const PLACE = /^(?:([0-9a-f]{40}|[0-9a-f]{64}):)?(.+):([^:]+):(\d{1,9})$/

/** Lines that are none are left out: the tool whose file it is does so too. */
export function parseGitleaksIgnore(text: string): IgnoredPlace[] {
  return text.split('\n').flatMap((raw) => {
    const found = raw.startsWith('#') ? null : PLACE.exec(raw.trim().slice(0, 5000))
    if (!found) return []
    const [, commit, path, rule, line] = found
    return [{ commit, path: path!, rule: rule!, line: Number(line) }]
  })
}
