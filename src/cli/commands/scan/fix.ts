/**
 * `scan -fix`: a found secret goes into the vault, and a reference takes its place. The order is what
 * makes it safe: the value is written, read back and compared before any file is touched.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { type Finding, masked } from '../../../scan/scan.ts'
import {
  endingOf,
  envName,
  type Kept,
  nameBefore,
  NEEDS,
  referenceTo,
  rewriteLine,
} from '../../../scan/fix/rewrite.ts'
import { printable } from '../../../scan/report/report.ts'
import { CliError } from '../../cli-error.ts'
import type { Context } from '../../command.ts'
import { readLine } from '../../io.ts'
import { trimSlashes } from '../../paths.ts'
import { locate } from '../kv/place.ts'
import type { fixFlags } from './fix-flags.ts'
import { startOf } from './setup.ts'

type At = Pick<Context<typeof fixFlags>, 'args' | 'flags' | 'io' | 'api' | 'out' | 'settings'>

type Change = {
  readonly finding: Finding
  readonly kept: Kept
  readonly line: string
  readonly env: string | undefined
}
type Plan = {
  readonly changes: readonly Change[]
  /** What is new in the vault. */
  readonly fields: ReadonlyMap<string, string>
  readonly left: readonly { readonly finding: Finding; readonly why: string }[]
}

/** What was found is fixed as far as that is certain. The exit code: 0 when all of it is. */
export async function fix(at: At, findings: readonly Finding[]): Promise<number> {
  if (findings.length === 0) {
    say(at, 'Nothing was found, so there is nothing to put into a vault')
    return 0
  }
  const path = trimSlashes(at.flags['fix-path'] ?? `secret/${basename(startOf(at))}`)
  const place = await locate(at, path, undefined)
  const before = await valuesAt(at, place.full('data'))
  const plan = planOf(findings, { path, values: before.data })
  show(at, plan)
  if (plan.changes.length === 0) return plan.left.length === 0 ? 0 : 1
  const rotations = at.flags.rotate ? await rotationsFor(at, plan) : undefined
  if (!(await agreed(at, plan, { path, rotated: rotations?.paths.length ?? 0 }))) {
    say(at, 'nothing was changed')
    return 1
  }
  if (plan.fields.size > 0) {
    const data = { ...before.data, ...Object.fromEntries(plan.fields) }
    const body = place.v2 ? { data, options: { cas: before.version } } : data
    const full = place.full('data')
    await at.api.secret({ method: 'PUT', path: full, body, doing: `Error writing data to ${full}` })
    const after = await valuesAt(at, full)
    for (const [field, value] of plan.fields) {
      if (after.data[field] === value) continue
      throw new CliError(`${path} does not give back what was written: no file was changed`)
    }
    say(at, `${plan.fields.size} written to ${path}`)
  }
  for (const [file, changes] of Map.groupBy(plan.changes, ({ finding }) => finding.path)) {
    rewrite(file, changes)
    say(at, `changed ${printable(file)}`)
  }
  hints(at, plan)
  if (rotations) await (await import('./fix-rotate.ts')).rotateAll(at, rotations)
  return plan.left.length + (rotations?.left.length ?? 0) === 0 ? 0 : 1
}

async function rotationsFor(at: At, { changes, left }: Plan) {
  const { rotationsOf, showRotations } = await import('./fix-rotate.ts')
  const rotations = await rotationsOf(at, {
    changed: changes.map(({ finding }) => finding),
    left: left.map(({ finding }) => finding),
  })
  showRotations(at, rotations)
  return rotations
}

const count = (many: number, noun: string) => `${many} ${noun}${many === 1 ? '' : 's'}`

const say = ({ io }: At, text: string) => void io.stdout.write(`${text}\n`)

async function valuesAt(at: At, path: string): Promise<{ data: JsonObject; version: number }> {
  const secret = await at.api.secret({ method: 'GET', path, doing: `Error reading ${path}` })
  const { data, metadata } = secret?.data ?? {}
  // Version 1 of the engine has no metadata: what it gives is the data.
  if (!isObject(metadata)) return { data: secret?.data ?? {}, version: 0 }
  return { data: isObject(data) ? data : {}, version: Number(metadata['version'] ?? 0) }
}

function planOf(
  findings: readonly Finding[],
  { path, values }: { path: string; values: JsonObject },
): Plan {
  const changes: Change[] = []
  const left: Plan['left'][number][] = []
  const fields = new Map<string, string>()
  const taken = new Map(Object.entries(values))
  for (const finding of findings) {
    const spot = spotOf(finding)
    if (typeof spot === 'string') {
      left.push({ finding, why: spot })
      continue
    }
    const name = (nameBefore(spot.line.slice(0, spot.start)) ?? finding.rule).replaceAll(
      /[^\w-]/g,
      '_',
    )
    const known = finding.known?.live ? finding.known : undefined
    const field = known?.field ?? fieldFor(name, finding.secret, taken)
    const kept = { path: known?.path ?? path, field }
    const rewritten = rewriteLine({ ...spot, path: finding.path }, kept, envName(name))
    if ('refused' in rewritten) {
      left.push({ finding, why: rewritten.refused })
      continue
    }
    if (known === undefined && values[field] !== finding.secret) fields.set(field, finding.secret)
    taken.set(field, finding.secret)
    changes.push({ finding, kept, line: rewritten.line, env: rewritten.env })
  }
  return { changes, fields, left }
}

/** A field of that name, or with a number where it is another value's. The same value is kept once. */
function fieldFor(name: string, secret: string, taken: ReadonlyMap<string, unknown>): string {
  for (const [field, value] of taken) if (value === secret) return field
  for (let n = 1; ; n++) {
    const field = n === 1 ? name : `${name}_${n}`
    if (!taken.has(field)) return field
  }
}

type Spot = { readonly line: string; readonly start: number; readonly end: number }

/** Where it stands in its line, or why it cannot be changed there. */
function spotOf({ path, line, column, endLine, secret }: Finding): Spot | string {
  if (line !== endLine) return 'it goes over several lines'
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return 'it is inside of an archive, or its file is gone'
  }
  const whole = text.split('\n')[line - 1] ?? ''
  const start = column - 1
  const end = start + secret.length
  return whole.slice(start, end) === secret
    ? { line: whole, start, end }
    : 'its file is not plain UTF-8'
}

/** As a diff, with the value masked. */
function show(at: At, { changes, left }: Plan): void {
  const secrets = [...changes, ...left].map(({ finding }) => finding.secret)
  // Another secret may stand in the same line.
  const hidden = (line: string) =>
    secrets.reduce((text, secret) => text.replaceAll(secret, masked(secret)), line)
  for (const { finding, line } of changes) {
    const { path, line: number, context, secret } = finding
    say(at, `--- ${printable(path)}:${number}`)
    say(at, `- ${printable(`${context.before}${masked(secret)}${context.after}`.trim())}`)
    say(at, `+ ${printable(hidden(line.trim()))}`)
  }
  for (const { finding, why } of left) {
    say(at, `left as it is: ${printable(finding.path)}:${finding.line} (${finding.rule}): ${why}`)
  }
}

async function agreed(
  at: At,
  { changes, fields }: Plan,
  { path, rotated }: { path: string; rotated: number },
): Promise<boolean> {
  if (at.flags.yes) return true
  const files = new Set(changes.map(({ finding }) => finding.path)).size
  if (at.io.stdin.isTTY !== true) {
    throw new CliError('nothing was changed: nobody is there to ask', { hint: '-yes does not ask' })
  }
  const kept = fields.size > 0 ? `write ${fields.size} to ${path} and ` : ''
  const then = rotated > 0 ? `, then rotate ${rotated}` : ''
  const places = `${count(changes.length, 'place')} in ${count(files, 'file')}`
  at.out.ask(`${kept}change ${places}${then}? [y/N] `)
  return /^y(?:es)?$/i.test((await readLine(at.io.stdin)).trim())
}

/** Whole or not at all, and only if nobody has changed the file since. */
function rewrite(file: string, changes: readonly Change[]): void {
  const lines = readFileSync(file, 'utf8').split('\n')
  const before = lines.join('\n')
  // From the right: what stands before in the same line keeps its column.
  for (const { finding, kept, env } of changes.toSorted(
    (a, b) => b.finding.column - a.finding.column,
  )) {
    const { line, column, secret } = finding
    const start = column - 1
    const now = { path: file, line: lines[line - 1] ?? '', start, end: start + secret.length }
    if (now.line.slice(start, now.end) !== secret) {
      throw new CliError(
        `${file} was changed meanwhile: it is left as it is, the value is in the vault`,
      )
    }
    const done = rewriteLine(now, kept, env ?? '')
    if ('line' in done) lines[line - 1] = done.line
  }
  if (lines.join('\n') === before) return
  const temporary = `${file}.coffer-fix`
  writeFileSync(temporary, lines.join('\n'), { mode: statSync(file).mode })
  renameSync(temporary, file)
}

function hints(at: At, { changes }: Plan): void {
  const told = new Set<string>()
  for (const { finding, kept, env } of changes) {
    if (env !== undefined) told.add(`set ${env}=${referenceTo(kept)}`)
    const needs = NEEDS[endingOf(finding.path)]
    if (env !== undefined && needs) told.add(`${printable(finding.path)} needs: ${needs}`)
  }
  for (const line of told) say(at, line)
  say(at, 'What was committed is known to others: change it at its provider, too.')
}
