/** `sys/coffer/leaked`: what was seen where it should not be, until somebody has dealt with it. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import {
  caseIds,
  CASES_MAX,
  closeCase,
  getCase,
  type LeakCase,
  type Leaked,
  reportLeak,
} from '../leaked.ts'
import { requirePlain } from '../plain-text.ts'
import { homeOf } from '../namespaces.ts'
import { askToRotate, WAIT_MS_MAX } from '../rotation/orders.ts'
import { subjectOf } from '../rotation/subject.ts'
import { policyPathOf, scopeOf, turnOf, txOf } from '../turn.ts'
import { emitEvent } from '../watch/events.ts'

const id = t.name({ help: 'Of the case, as reporting it answered.' })
const TEXT_MAX = 500

const fields = {
  path: t.string({
    help: 'The secret, as its readers name it: secret/app/db.',
    default: '',
    clear: true,
  }),
  field: t.string({ help: 'Which field of it.', default: '', clear: true }),
  version: t.int({ help: 'Which version; 0 = it is not known.', default: 0, clear: true }),
  fingerprint: t.string({ help: 'Of a finding of `coffer scan`.', default: '' }),
  source: t.string({
    help: 'Where it was seen: a repository and a commit, a page, a log. Never the value.',
    default: '',
  }),
  rotate: t.bool({
    help: 'Start the rotation that is declared for the path, which needs the right to do so.',
    default: false,
    clear: true,
  }),
}

type Data = {
  path: string
  field: string
  version: number
  fingerprint: string
  source: string
  rotate: boolean
}

export function cofferLeakedEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/leaked', {
      help: 'Opens a case: a secret was seen where it should not be. The same secret has one case.',
      description:
        'Say which secret by its path, or by the fingerprint of a finding; both may be given. Those who ' +
        'watch are told `leak.reported`, once for each place it was seen at. A case holds no value.',
      fields,
      list: async (call) => ({ keys: await caseIds(scopeOf(call as never)) }),
      write: (call) => report(call as never, core, call.data),
      example: { path: 'secret/app/db', field: 'password', version: 3, source: 'shop@4f0c2d9' },
    }),
    endpoint('coffer/leaked/:id', {
      help: 'A case. Deleting it closes it.',
      fields: { id },
      async read(call) {
        const found = await getCase(scopeOf(call as never), call.data.id)
        if (!found) throw new Failure('not_found', `no open case "${call.data.id}"`)
        return shown(call.data.id, found)
      },
      async delete(call) {
        const scope = scopeOf(call as never)
        if (await getCase(scope, call.data.id)) closeCase(scope, call.data.id)
        return undefined
      },
    }),
  ]
}

const shown = (id: string, { sources, openedAt, lastAt, ...found }: LeakCase) => ({
  id,
  path: found.path ?? null,
  field: found.field ?? null,
  version: found.version ?? null,
  fingerprint: found.fingerprint ?? null,
  reports: found.reports,
  opened_time: rfc3339(openedAt),
  last_reported_time: rfc3339(lastAt),
  sources: sources.map(({ text, at, by }) => ({ source: text, time: rfc3339(at), by })),
})

function leakedBy({ path, field, version, fingerprint, source }: Data): Leaked {
  for (const [name, text] of Object.entries({ path, field, fingerprint, source })) {
    requirePlain(name, text, TEXT_MAX)
  }
  if (fingerprint !== '' && !/^[0-9a-f]{16,64}$/.test(fingerprint)) {
    refuse('fingerprint must be one of a finding: hexadecimal digits')
  }
  if (version < 0) refuse('version must be 0 or more')
  const canonical = path === '' ? '' : canonicalInput(path.replace(/^\//, ''))
  if (canonical === '' && fingerprint === '') {
    refuse('say what has leaked: path, or fingerprint of a finding')
  }
  if (canonical.endsWith('/')) refuse('path must be a secret, not a folder')
  if (canonical === '' && (field !== '' || version > 0)) refuse('field and version need a path')
  return {
    ...(canonical !== '' && { path: canonical }),
    ...(field !== '' && { field }),
    ...(version > 0 && { version }),
    ...(fingerprint !== '' && { fingerprint }),
  }
}

async function report(call: Call<never>, core: Core, data: Data) {
  const { now, caller } = call
  const scope = scopeOf(call)
  const leaked = leakedBy(data)
  const by = caller?.displayName ?? ''
  const source = data.source === '' ? undefined : { text: data.source, at: now, by }
  const told = await reportLeak(scope, { leaked, source, now })
  if (!told) return refuse(`there are ${CASES_MAX} open cases: close those that are dealt with`)
  if (told.isNew) await tell(call, core, told.id, leaked.path)
  const rotation = data.rotate ? await rotate(call, core, leaked.path) : 'not asked for'
  return { ...shown(told.id, told.case), new: told.isNew, rotation }
}

/** Those who may read the case, and those who may read the secret, each at the path they watch. */
async function tell(call: Call<never>, core: Core, id: string, path: string | undefined) {
  const scope = scopeOf(call)
  const { ns } = turnOf(call)
  for (const at of [`sys/coffer/leaked/${id}`, path]) {
    const mount = at === undefined ? undefined : await core.mounts.find(scope, at)
    if (at === undefined || !mount) continue
    const source = { mount: mount.entry, home: homeOf(ns).namespace, now: call.now }
    const event = { type: 'leak.reported', path: at.slice(mount.entry.path.length) }
    emitEvent(txOf(call), source, event)
  }
}

/** The case stays open whether or not it can be rotated; the answer says which. */
async function rotate(call: Call<never>, core: Core, path: string | undefined): Promise<string> {
  if (path === undefined) {
    call.warn('nothing is rotated: a fingerprint does not say where the secret is kept')
    return 'not started'
  }
  const turn = turnOf(call)
  const needed = policyPathOf(turn, `sys/coffer/rotate/now/${path}`)
  const operation = 'update'
  if (turn.acl?.check({ path: needed, operation, data: {} }).allowed !== true) {
    call.warn(`nothing is rotated: that needs ${operation} on ${needed}`)
    return 'not started'
  }
  try {
    const subject = await subjectOf(call, core, path)
    if (subject.kind.assisted) refuse('an assisted rotation needs the new value')
    await askToRotate(turn, core, { ...subject, wait: false, timeoutMs: WAIT_MS_MAX })
    return 'started'
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    call.warn(`nothing is rotated: ${error.message}`)
    return 'not started'
  }
}
