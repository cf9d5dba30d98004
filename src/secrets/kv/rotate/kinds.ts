/**
 * The rotations of secrets: values made here, keys made by another server, and values that a person
 * brings. What callers read is always a version of the secret.
 */
import { refuse } from '../../../kit/kit.ts'
import { type RotationKind } from '../../../kit/rotation.ts'
import { base62 } from '../../../lib/base62.ts'
import { getKey } from '../find-key.ts'
import { httpKind, textsIn, tryOut } from './http-kind.ts'
import { parseTemplates, send, type Templates } from './template.ts'
import { type FieldsCredential, fieldsOf, newestData, publishFields, unmark } from './written.ts'

const CHARS_DEFAULT = 32
const CHARS_MAX = 1_024
const FIELD_MAX = 128

function fieldIn(given: Readonly<Record<string, unknown>>): string {
  const { field } = given
  if (typeof field !== 'string' || field === '') refuse('missing field: which one is rotated')
  if (field.length > FIELD_MAX) refuse(`field must have at most ${FIELD_MAX} characters`)
  return field
}

const numberedTo: NonNullable<RotationKind['numberedTo']> = async (store, name) =>
  (await getKey(store, name))?.current ?? 0

/** No server refuses it: the value is right because it is the one that is stored. */
const generated: RotationKind = {
  servedAt: (name) => name,
  readableAt: (name) => `data/${name}`,
  numberedTo,
  async configure(store, name, given) {
    const field = fieldIn(given)
    const { policy, length = CHARS_DEFAULT } = given
    if (typeof length !== 'number' || length < 12 || length > CHARS_MAX) {
      refuse(`length must be between 12 and ${CHARS_MAX}`)
    }
    const settings = { field, length, ...(typeof policy === 'string' && policy && { policy }) }
    const value = (await newestData(store, name, Infinity))?.data[field]
    if (typeof value !== 'string' || value === '') return { settings }
    return { settings, imported: { fields: { [field]: value } } }
  },
  sketch: async (job) => ({
    target: `the secret ${job.mount.path}${job.name}`,
    strategy: 'generated',
    steps: ['make a new value'],
    gap: false,
    seesSessions: false,
  }),
  async plan(job) {
    const { field, policy, length } = job.settings as {
      field: string
      policy?: string
      length: number
    }
    const value =
      policy === undefined ? base62(length, job.random) : await job.generatePassword(policy)
    return { fields: { [field]: value } } satisfies FieldsCredential
  },
  apply: async () => {},
  probe: async () => ({ outcome: 'works' }),
  verify: async () => ({ outcome: 'works' }),
  publish: publishFields('generated'),
  unpublish: unmark,
  softRevoke: async () => {},
  undoSoftRevoke: async () => {},
  revoke: async () => {},
  discard: async () => {},
}

type ConfigureArgs = Parameters<NonNullable<RotationKind['configure']>>
type AssistedSettings = { field: string; template: Templates; secrets: Record<string, string> }

/** A person brings the value, a request proves it, and a person lets it go out. */
const assisted: RotationKind = {
  ...generated,
  assisted: true,
  async configure(_store, _name, given) {
    const field = fieldIn(given)
    const template = parseTemplates(given['template'], ['verify'])
    if (!template['verify']) refuse('template.verify is missing: what is not proven is not served')
    return { settings: { field, template, secrets: textsIn(given['secrets']) } }
  },
  sketch: async (job) => ({
    target: `the secret ${job.mount.path}${job.name}`,
    strategy: 'assisted',
    steps: ['take the value that somebody posts', 'try it'],
    gap: false,
    seesSessions: false,
  }),
  async plan(job, { given }) {
    const { field } = job.settings as AssistedSettings
    const { value, ...others } = given ?? {}
    const fields = { ...others, ...(value !== undefined && { [field]: value }) }
    const texts = Object.entries(fields).every(
      ([, each]) => typeof each === 'string' && each !== '',
    )
    if (!texts || !Object.hasOwn(fields, field)) refuse('the new value is missing, or is no text')
    return { fields } satisfies { fields: Record<string, unknown> }
  },
  probe: prove,
  verify: prove,
  publish: publishFields('assisted'),
}

async function prove(...[job, credential]: Parameters<RotationKind['probe']>) {
  const { template, field, secrets } = job.settings as AssistedSettings
  const { fields } = fieldsOf(credential)
  const named = Object.entries(secrets).map(([name, value]) => [`secret.${name}`, value])
  const values = { ...fields, ...Object.fromEntries(named), value: fields[field], name: job.name }
  return tryOut(() => send(template['verify']!, values, job.signal))
}

export const kvRotations: Readonly<Record<string, RotationKind>> = {
  generated,
  http: { ...httpKind, numberedTo, configure: httpConfigure },
  assisted,
}

async function httpConfigure(...[store, name, given]: ConfigureArgs) {
  return httpKind.configure!(store, name, { ...given, field: fieldIn(given) })
}
