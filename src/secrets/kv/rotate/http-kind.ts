/**
 * Keys that another server makes, over its HTTP API: a second one is made, proven, served, and the
 * first one is taken away when nobody holds it any more.
 *
 * The server may say the value only in its answer, which can be lost. So each key gets a label that
 * is stored before the key exists; with a `find` request, what was made under it is found again and
 * taken away.
 */
import { refuse } from '../../../kit/kit.ts'
import {
  type Credential,
  type Probe,
  type RotationJob,
  type RotationKind,
} from '../../../kit/rotation.ts'
import { isObject } from '../../../lib/json.ts'
import { OutboundError, type Told } from '../../../lib/outbound.ts'
import { newestData, type FieldsCredential, fieldsOf, publishFields, unmark } from './written.ts'
import {
  parseTemplates,
  pick,
  send,
  succeeded,
  type Templates,
  textAt,
  type Values,
} from './template.ts'

const ASKS = ['create', 'verify', 'delete', 'find', 'disable', 'enable'] as const

export type HttpSettings = {
  readonly field: string
  readonly id_field?: string
  readonly template: Templates
  /** What requests need besides: the right to make keys. Never shown. */
  readonly secrets: Readonly<Record<string, string>>
}

const settingsOf = (job: RotationJob) => job.settings as unknown as HttpSettings

export const httpKind: RotationKind = {
  servedAt: (name) => name,
  readableAt: (name) => `data/${name}`,
  async configure(store, name, given) {
    const settings = httpSettings(given)
    const found = await newestData(store, name, Infinity)
    const value = found?.data[settings.field]
    if (typeof value !== 'string' || value === '') return { settings }
    const id = settings.id_field === undefined ? undefined : found?.data[settings.id_field]
    const fields = { [settings.field]: value, ...idField(settings, id) }
    const imported = { fields, ...(typeof id === 'string' && { id }) }
    return { settings, imported }
  },
  async sketch(job) {
    const { template } = settingsOf(job)
    const host = new URL(template['create']!.url.replaceAll(/\{\{.*?\}\}/g, 'x')).host
    return {
      target: host,
      strategy: 'second-key',
      steps: [`make a second key at ${host}`, 'try it there'],
      gap: false,
      seesSessions: false,
    }
  },
  async plan(job, { number }) {
    const label = `coffer-${number}-${job.random(6).toString('hex')}`
    return { fields: {}, label } satisfies FieldsCredential
  },
  apply: create,
  probe: verify,
  verify,
  publish: publishFields('http'),
  unpublish: unmark,
  softRevoke: (job, old) => switched(job, old, 'disable'),
  undoSoftRevoke: (job, old) => switched(job, old, 'enable'),
  revoke: (job, old) => remove(job, fieldsOf(old)),
  discard: (job, candidate) => discard(job, fieldsOf(candidate)),
}

function httpSettings(given: Readonly<Record<string, unknown>>) {
  const template = parseTemplates(given['template'], ASKS)
  for (const name of ['create', 'verify', 'delete'] as const) {
    if (!template[name]) refuse(`template.${name} is missing`)
  }
  if (template['create']!.paths['value'] === undefined) {
    refuse('template.create.value must say where in the answer the new key is')
  }
  const idField = given['id_field']
  const own: HttpSettings = {
    field: String(given['field']),
    ...(typeof idField === 'string' && idField !== '' && { id_field: idField }),
    template,
    secrets: textsIn(given['secrets']),
  }
  return { ...own }
}

/** Only texts can be put into a request. */
export function textsIn(given: unknown): Record<string, string> {
  const texts = Object.entries(isObject(given) ? given : {})
  if (texts.some(([, each]) => typeof each !== 'string'))
    refuse('secrets must be an object of strings')
  return Object.fromEntries(texts) as Record<string, string>
}

const idField = ({ id_field: name }: { id_field?: unknown }, id: unknown) =>
  typeof name === 'string' && typeof id === 'string' ? { [name]: id } : {}

function valuesOf(job: RotationJob, { fields, id, label }: FieldsCredential): Values {
  const { secrets, field } = settingsOf(job)
  const named = Object.entries(secrets).map(([name, value]) => [`secret.${name}`, value])
  return { ...Object.fromEntries(named), value: fields[field], id, label, name: job.name }
}

async function create(job: RotationJob, candidate: Credential): Promise<Credential> {
  const { field, template, ...settings } = settingsOf(job)
  const { label } = fieldsOf(candidate)
  // An earlier try may have made one whose answer was lost.
  await discard(job, fieldsOf(candidate))
  const ask = template['create']!
  const told = await send(
    ask,
    valuesOf(job, { fields: {}, ...(label !== undefined && { label }) }),
    job.signal,
  )
  if (!succeeded(told)) throw new OutboundError(`answered with status ${told.status}`)
  const answer = jsonIn(told)
  const value = textAt(answer, ask.paths['value'])
  if (value === undefined) throw new OutboundError('did not tell the new key')
  const id = textAt(answer, ask.paths['id'])
  return {
    fields: { [field]: value, ...idField(settings, id) },
    ...(id !== undefined && { id }),
    ...(label !== undefined && { label }),
  } satisfies FieldsCredential
}

function jsonIn(told: Told): unknown {
  try {
    return JSON.parse(told.text)
  } catch {
    throw new OutboundError('did not answer with JSON')
  }
}

async function verify(job: RotationJob, credential: Credential): Promise<Probe> {
  const of = fieldsOf(credential)
  const { field, template } = settingsOf(job)
  if (of.fields[field] === undefined) return { outcome: 'refused', why: 'its value was never told' }
  return tryOut(() => send(template['verify']!, valuesOf(job, of), job.signal))
}

/** A request that has to succeed with a key, as a login does. */
export async function tryOut(ask: () => Promise<Told>): Promise<Probe> {
  try {
    const told = await ask()
    if (succeeded(told)) return { outcome: 'works' }
    const why = `answered with status ${told.status}`
    const { status } = told
    // Too many requests, or too late: that says nothing about the key.
    const refused = status >= 400 && status < 500 && status !== 408 && status !== 429
    return refused ? { outcome: 'refused', why } : { outcome: 'unreachable', why }
  } catch (error) {
    const why = error instanceof OutboundError ? error.message : 'unknown trouble'
    return { outcome: 'unreachable', why }
  }
}

/** Where the server can switch a key off and on; elsewhere there is only the time in between. */
async function switched(
  job: RotationJob,
  old: Credential,
  how: 'disable' | 'enable',
): Promise<void> {
  const ask = settingsOf(job).template[how]
  if (!ask) return
  const told = await send(ask, valuesOf(job, fieldsOf(old)), job.signal)
  if (!succeeded(told)) throw new OutboundError(`answered with status ${told.status}`)
}

async function remove(job: RotationJob, old: FieldsCredential): Promise<void> {
  const told = await send(settingsOf(job).template['delete']!, valuesOf(job, old), job.signal)
  const gone = told.status === 404 || told.status === 410
  if (!gone && !succeeded(told)) throw new OutboundError(`answered with status ${told.status}`)
}

/** By its id where that is known, else whatever has its label. */
async function discard(job: RotationJob, candidate: FieldsCredential): Promise<void> {
  if (candidate.id !== undefined) return remove(job, candidate)
  const { template, field } = settingsOf(job)
  const { find } = template
  if (!find) {
    if (candidate.fields[field] !== undefined) await remove(job, candidate)
    return
  }
  const told = await send(find, valuesOf(job, candidate), job.signal)
  if (!succeeded(told)) throw new OutboundError(`answered with status ${told.status}`)
  const list = pick(jsonIn(told), find.paths['list'] ?? '')
  if (!Array.isArray(list)) throw new OutboundError('did not answer with a list')
  const { match = 'name', id = 'id' } = find.paths
  for (const item of list) {
    const found = textAt(item, match) === candidate.label ? textAt(item, id) : undefined
    if (found !== undefined) await remove(job, { ...candidate, id: found })
  }
}
