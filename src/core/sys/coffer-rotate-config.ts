/** `sys/coffer/rotate/config/…`: which secrets are rotated and how; and the rules of any rotation. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type RotationRules, type RotationTiming } from '../../kit/rotation.ts'
import { isObject } from '../../lib/json.ts'
import { type Parsed, t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { checkTiming, declare, retire, type Subject } from '../rotation/orders.ts'
import { getRotation, noted, type RotationEntry, saveRotation } from '../rotation/record.ts'
import { ageReport } from '../rotation/report.ts'
import { rescheduled, rulesOf } from '../rotation/timing.ts'
import {
  fullPathOf,
  mayThere,
  type Place,
  placeOf,
  storeOf,
  subjectOf,
} from '../rotation/subject.ts'
import { scopeOf, turnOf } from '../turn.ts'

const path = t.rest({ help: 'What is rotated, as its readers name it: `secret/app/db`.' })

const timingFields = {
  period: t.duration({ help: 'How often; 0 = only when told to.', clear: true }),
  schedule: t.string({ help: 'Or when: cron, five fields, UTC.', clear: true }),
  window: t.duration({ help: 'With a schedule: how late it may still begin.', clear: true }),
}

const ruleFields = {
  max_grace: t.duration({ help: 'Who holds the old one longer is told of by name.', clear: true }),
  quiet: t.duration({
    help: 'So long nobody must be found before the old one is refused.',
    clear: true,
  }),
  undo_window: t.duration({ help: 'So long its refusal can be undone.', clear: true }),
  reader_hold: t.duration({
    help: 'So long a reader that says nothing counts, at most.',
    clear: true,
  }),
  drift_interval: t.duration({ help: 'How often what is served is tried.', clear: true }),
}

const fields = {
  path,
  kind: t.string({ help: 'generated, http or assisted; of the mount there.', clear: true }),
  field: t.string({ help: 'The field of the secret that is rotated.', clear: true }),
  id_field: t.string({ help: "http: the field for the key's id.", clear: true }),
  policy: t.string({ help: 'generated: a password policy.', clear: true }),
  length: t.int({ help: 'generated, without a policy: how many characters.', clear: true }),
  template: t.map({
    help: 'http, assisted: the requests that make, prove and take away a key.',
    sensitive: true,
  }),
  secrets: t.map({
    help: 'What the requests need, as {{secret.NAME}}. Never read back.',
    sensitive: true,
  }),
  ...timingFields,
  ...ruleFields,
}
type Given = Parsed<typeof fields>
type ConfigCall = Call<Given>

const DAY = 86_400
const LISTED_MAX = 10_000

export function cofferRotateConfigEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/rotate/config/:path*', {
      help: 'How a secret is rotated, and by which rules.',
      description:
        'Declares a rotation of a secret, or changes one; fields left out stay as they are. It takes ' +
        'the right to read and update the secret besides. A delete ends the rotation, and the secret ' +
        'stays. Of a rotation that an engine has declared, only timing and rules are changed here.',
      fields,
      read: async (call) => shown(await subjectOf(call as never, core, call.data.path)),
      write: (call) => configure(call, core),
      delete: (call) => remove(call as never, core, call.data.path),
      example: { kind: 'generated', field: 'password', period: '30d' },
    }),
    endpoint('coffer/rotate/report', {
      help: 'How old every secret and credential is, the stale ones first.',
      description:
        'Of what the caller may read, or read about. A secret may say with the custom metadata ' +
        '`max_age` how old it may become. One is `due` from four fifths of its age on; `unknown` are ' +
        'those of engines that keep no times.',
      fields: {
        prefix: t.string({ help: 'Only paths that begin so.', default: '', clear: true }),
        max_age: t.duration({ help: 'How old they may be.', default: 90 * DAY, clear: true }),
        limit: t.int({
          help: `How many to list, up to ${LISTED_MAX}.`,
          default: 1_000,
          clear: true,
        }),
      },
      read(call) {
        const { prefix, max_age: maxAgeSeconds, limit } = call.data
        if (limit < 1 || limit > LISTED_MAX) refuse(`limit must be from 1 to ${LISTED_MAX}`)
        return ageReport(call as never, core, { prefix, maxAgeSeconds, limit })
      },
    }),
  ]
}

async function configure(call: ConfigCall, core: Core) {
  const plain = call as never
  const place = await placeOf(plain, core, call.data.path)
  if (!place) throw new Failure('not_found', `no mount serves "${call.data.path}"`)
  const before = await getRotation(scopeOf(plain), place.id)
  const wanted = call.data.kind ?? before?.of
  const kind = wanted === undefined ? undefined : place.mount.engine.rotations?.[wanted]
  if (wanted === undefined || !kind) {
    const kinds = Object.keys(place.mount.engine.rotations ?? {})
    return refuse(
      kinds.length > 0 ? `kind must be one of ${kinds.join(', ')}` : 'nothing there can be rotated',
    )
  }
  const timing = timingOf(call, before)
  const rules = rulesGiven(call, before)
  checkTiming(timing)
  if (!kind.configure) {
    if (!before) return refuse('its engine declares this rotation: write the role there')
    const nextAt = rescheduled(before, timing, call.now)
    const history = noted(before, call.now, 'timing and rules changed')
    saveRotation(scopeOf(plain), { ...before, timing, rules, nextAt, history })
    return undefined
  }
  if (before && before.of !== wanted) refuse(`it is rotated as ${before.of}: delete that first`)
  const name = place.path
  const of = { mount: place.mount, kind, entry: { name } }
  const turn = turnOf(plain)
  for (const right of ['read', 'update'] as const) {
    if (!mayThere(turn, of, right))
      throw new Failure('permission_denied', undefined, { wrapped: true })
  }
  const given = settingsGiven(call, before)
  const { settings, imported } = await kind.configure(storeOf(plain, place.mount), name, given)
  const first = !before?.current
  await declare(turn, core, {
    order: {
      act: 'declare',
      kind: wanted,
      name,
      settings,
      timing,
      rules,
      ...(first && imported && { imported }),
      rotate: first && !imported && !kind.assisted,
    },
    mount: place.mount,
    kind,
    path: place.path,
    before,
  })
  return undefined
}

const SETTINGS = ['field', 'id_field', 'policy', 'length', 'template', 'secrets'] as const

function settingsGiven({ data, given }: ConfigCall, before: RotationEntry | undefined) {
  const settings: Record<string, unknown> = { ...before?.settings }
  for (const name of SETTINGS) if (given.has(name)) settings[name] = data[name]
  return settings
}

function timingOf({ data, given }: ConfigCall, before: RotationEntry | undefined): RotationTiming {
  if (!Object.keys(timingFields).some((name) => given.has(name))) return before?.timing ?? {}
  const { period, schedule, window } = data
  return {
    ...(period && { periodSeconds: period }),
    ...(schedule && { schedule }),
    ...(window && { windowSeconds: window }),
  }
}

const RULES = {
  max_grace: 'maxGraceSeconds',
  quiet: 'quietSeconds',
  undo_window: 'undoWindowSeconds',
  reader_hold: 'readerHoldSeconds',
  drift_interval: 'driftSeconds',
} as const

function rulesGiven({ data, given }: ConfigCall, before: RotationEntry | undefined): RotationRules {
  const rules: Record<string, number> = { ...before?.rules }
  for (const [name, own] of Object.entries(RULES)) {
    const value = data[name as keyof typeof RULES]
    if (given.has(name) && value !== undefined) rules[own] = value
  }
  if (rules['driftSeconds'] !== undefined && rules['driftSeconds'] < 1)
    refuse('drift_interval must be 1s or more')
  return rules
}

/** Settings without anything a request would carry: its address and method say enough. */
function shown({ mount, entry }: Subject) {
  const { template, secrets, ...settings } = entry.settings
  const { timing } = entry
  const rules = rulesOf(entry.rules, timing)
  const asks = Object.entries(isObject(template) ? template : {}).map(([name, ask]) => {
    const { method, url } = ask as { method: string; url: string }
    return [name, { method, url }]
  })
  return {
    path: fullPathOf(mount, entry),
    kind: entry.of,
    ...settings,
    ...(template !== undefined && { template: Object.fromEntries(asks) }),
    ...(isObject(secrets) && { secrets: Object.keys(secrets) }),
    period: timing.periodSeconds ?? 0,
    schedule: timing.schedule ?? '',
    window: timing.windowSeconds ?? 0,
    max_grace: rules.maxGraceSeconds,
    quiet: rules.quietSeconds,
    undo_window: rules.undoWindowSeconds,
    reader_hold: rules.readerHoldSeconds,
    drift_interval: rules.driftSeconds,
  }
}

async function remove(call: Call<never>, core: Core, given: string) {
  const place: Place | undefined = await placeOf(call, core, given)
  const entry = place && (await getRotation(scopeOf(call), place.id))
  if (!entry) return undefined
  const subject = await subjectOf(call, core, given)
  if (!subject.kind.configure) refuse('its engine declares this rotation: delete the role there')
  await retire(turnOf(call), core, subject)
  return undefined
}
