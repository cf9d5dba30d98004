/** `sys/coffer/rotate/…`: what is rotated, how it stands, and what people do about it. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { acknowledge } from '../rotation/ack.ts'
import { askToRotate, type Subject, WAIT_MS_MAX } from '../rotation/orders.ts'
import { noted, type RotationEntry, rotationsIn, saveRotation } from '../rotation/record.ts'
import { planOf, statusOf } from '../rotation/shown.ts'
import { fullPathOf, mayRead, subjectOf } from '../rotation/subject.ts'
import { type Core } from '../core.ts'
import { requirePlain } from '../plain-text.ts'
import { scopeOf, turnOf } from '../turn.ts'

const path = t.rest({ help: 'What is rotated, as its readers name it: `secret/app/db`.' })
const because = t.string({
  help: 'Why: it is kept in the history.',
  required: 'missing because',
  clear: true,
})

const nowFields = {
  path,
  emergency: t.bool({
    help: 'For a leak: holders are not waited for, and their sessions are ended.',
    default: false,
    clear: true,
  }),
  grace: t.duration({
    help: 'In an emergency: how long acknowledgements are awaited.',
    default: 10,
    clear: true,
  }),
  wait: t.oneOf(['published', 'revoked', 'none'], {
    help: 'What the answer waits for: published, revoked or none.',
    default: 'published',
    clear: true,
  }),
  timeout: t.duration({
    help: 'How long it waits; 0 = not at all.',
    default: WAIT_MS_MAX / 1000,
    clear: true,
  }),
  value: t.string({ help: 'Of an assisted rotation: the new value.', sensitive: true }),
  values: t.map({ help: 'The same, where there is more than one field.', sensitive: true }),
}

/** A history keeps forty of them. */
const BECAUSE_MAX = 500
const ACKS = ['seen', 'applied', 'drained', 'nack', 'gone'] as const

export function cofferRotateEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/rotate', {
      help: 'The paths of all rotations whose credential the caller may read.',
      fields: {},
      list: async (call) => ({ keys: await pathsOf(call as never, core) }),
    }),
    endpoint('coffer/rotate/status/:path*', {
      help: 'How a rotation stands: state, generations, holders, drift and what has happened.',
      description:
        'Never a value. A holder that `blocks` keeps the old credential from being revoked.',
      fields: { path },
      read: async (call) => statusOf(core, await subjectOf(call as never, core, call.data.path)),
    }),
    endpoint('coffer/rotate/plan/:path*', {
      help: 'What a rotation would do, and who holds what, before anything happens.',
      fields: { path },
      read: async (call) => planOf(core, await subjectOf(call as never, core, call.data.path)),
    }),
    endpoint('coffer/rotate/now/:path*', {
      help: 'Rotates now.',
      description:
        'Refused with 409 while somebody holds the credential before; the text says who. Many who ask ' +
        'at once get one rotation. An assisted rotation needs the new value, and then `activate`.',
      fields: nowFields,
      write: (call) => rotateNow(call as never, core, call.data),
      example: { wait: 'published' },
    }),
    endpoint('coffer/rotate/hold/:path*', {
      help: 'Holds a rotation: nothing goes on until it is released. A soft revocation is undone.',
      fields: { path, because },
      write: (call) =>
        changed(call as never, core, reasoned(call.data), (entry) => ({
          ...entry,
          held: { reason: 'operator', since: call.now, note: call.data.because },
          history: noted(entry, call.now, `held: ${call.data.because}`),
        })),
      example: { because: 'release day' },
    }),
    endpoint('coffer/rotate/release/:path*', {
      help: 'Ends a hold; where holders are waited for, says that they do not count.',
      description:
        'What was on hold goes on. While the old credential is being let go, it is revoked softly ' +
        'although somebody holds it; a refused login undoes even that, unless it was released again.',
      fields: { path, because },
      write: (call) =>
        changed(call as never, core, reasoned(call.data), (entry, { kind }) =>
          released(entry, { now: call.now, because: call.data.because, assisted: kind.assisted }),
        ),
      example: { because: 'the batch host is gone' },
    }),
    endpoint('coffer/rotate/rollback/:path*', {
      help: 'Serves the credential before again; before publication, gives the candidate up.',
      fields: { path },
      write: (call) => rollback(call as never, core, call.data.path),
      example: {},
    }),
    endpoint('coffer/rotate/activate/:path*', {
      help: 'Serves what is staged.',
      fields: { path },
      write: (call) =>
        changed(call as never, core, call.data.path, (entry) => {
          if (entry.state !== 'STAGED') refuse('nothing is staged there')
          return { ...entry, orders: { ...entry.orders, activate: true } }
        }),
      example: {},
    }),
    endpoint('coffer/rotate/reconcile/:path*', {
      help: 'Makes what is served work again, or serves what works.',
      description:
        'Tries the served credential. Where the target refuses it, it is set there anew; with `adopt` ' +
        'the given one is served instead, once it has logged in.',
      fields: {
        path,
        adopt: t.map({
          help: 'What works on the target; fields left out stay as they are.',
          sensitive: true,
        }),
      },
      write: (call) => reconcile(call as never, core, call.data),
      example: {},
    }),
    endpoint('coffer/ack', {
      help: 'What a client says of a generation it was given. Again every 30 s, it is its heartbeat.',
      description:
        'Who may read a path may acknowledge for it, each instance for itself. `drained` says that ' +
        'no connection with another generation is left; `nack` that this one cannot be used; `gone` ' +
        'that the instance ends and uses none any more.',
      fields: {
        path: t.string({ help: 'What is rotated.', required: 'missing path', clear: true }),
        generation: t.int({
          help: 'Which generation.',
          required: 'missing generation',
          clear: true,
        }),
        state: t.oneOf(ACKS, { help: ACKS.join(', '), required: 'missing state', clear: true }),
        instance: t.string({
          help: 'This process: a uuid.',
          required: 'missing instance',
          clear: true,
        }),
        app: t.string({ help: 'What it is called.', clear: true }),
        version: t.string({ help: 'And which one.', clear: true }),
        reason: t.string({ help: 'Of a nack: what went wrong. Never the credential.' }),
      },
      async write(call) {
        await acknowledge(call as never, core, call.data)
        return undefined
      },
      example: {
        path: 'secret/app/db',
        generation: 2,
        state: 'drained',
        instance: '6f2c1c9e-5a56-4a0e-9d6c-1f0c6f1f3f11',
      },
    }),
  ]
}

async function pathsOf(call: Call<never>, core: Core): Promise<string[]> {
  const scope = scopeOf(call)
  const turn = turnOf(call)
  const found: string[] = []
  const mounts = new Map((await core.mounts.all(scope)).map((mount) => [mount.view.uuid, mount]))
  for (const entry of await rotationsIn(scope)) {
    const mount = mounts.get(entry.mount)
    const kind = mount?.engine.rotations?.[entry.of]
    if (!mount || !kind || entry.state === 'RETIRING') continue
    if (mayRead(turn, { mount, kind, entry })) found.push(fullPathOf(mount, entry))
  }
  return found.sort()
}

/** The path, once the reason is one that may be shown to people. */
function reasoned({ path, because }: { path: string; because: string }): string {
  requirePlain('because', because, BECAUSE_MAX)
  return path
}

/** Changes the record in the request, lets the machine go on, and answers with how it stands then. */
async function changed(
  call: Call<never>,
  core: Core,
  given: string,
  change: (entry: RotationEntry, subject: Subject) => RotationEntry,
) {
  const subject = await subjectOf(call, core, given)
  const { entry, id, scope } = subject
  saveRotation(scope, change(entry, subject))
  turnOf(call).afterCommit.push(async () => {
    const home = entry.namespace
    await core.rotation.run({ home, id, done: (e) => !hasBegun(e), timeoutMs: WAIT_MS_MAX })
    await answer(call, core, subject)
  })
  return {}
}

/** An order has been taken up, or the machine is at work. */
const hasBegun = ({ orders, state }: RotationEntry): boolean =>
  orders.rollback !== undefined ||
  orders.reconcile !== undefined ||
  orders.activate !== undefined ||
  state === 'ABORTED' ||
  state === 'ROLLED_BACK'

async function answer(call: Call<never>, core: Core, subject: Subject): Promise<void> {
  const data = await statusOf(core, subject)
  turnOf(call).reply = reply({ ...(data && { data }) })
}

type Now = { path: string; emergency: boolean; grace: number; wait: string; timeout: number } & {
  value: string | undefined
  values: Record<string, unknown> | undefined
}

async function rotateNow(call: Call<never>, core: Core, data: Now) {
  const turn = turnOf(call)
  const subject = await subjectOf(call, core, data.path)
  const { kind, entry, id } = subject
  const given = data.value === undefined ? data.values : { ...data.values, value: data.value }
  if (given && !kind.assisted) refuse('only an assisted rotation takes a value')
  if (!given && kind.assisted) refuse('an assisted rotation needs the new value')
  const timeoutMs = Math.min(data.timeout * 1000, 10 * WAIT_MS_MAX)
  await askToRotate(turn, core, {
    ...subject,
    ...(data.emergency && { emergency: { seconds: data.grace } }),
    ...(given && { given }),
    // No time to wait is no wait: the answer tells how it stands.
    wait: data.wait !== 'none' && timeoutMs > 0,
    timeoutMs,
  })
  turn.afterCommit.push(async () => {
    const home = entry.namespace
    if (data.wait === 'revoked' && timeoutMs > 0) {
      const done = (e: RotationEntry) => e.state === 'IDLE' && !e.previous && !e.orders.rotate
      await core.rotation.run({ home, id, done, timeoutMs, patient: true })
    }
    await answer(call, core, subject)
  })
  return {}
}

type Release = { now: number; because: string; assisted: boolean | undefined }

function released(entry: RotationEntry, { now, because, assisted }: Release): RotationEntry {
  const history = noted(entry, now, `released: ${because}`)
  const { held } = entry
  const free = { ...entry, held: undefined, retryAt: undefined, failures: 0, history }
  if (held?.reason === 'operator') return free
  if (entry.state === 'DRAINING' || entry.state === 'SOFT_REVOKED') {
    const final = held?.reason === 'refused' || held?.reason === 'nack'
    return { ...free, released: { because, at: now, final } }
  }
  if (!held) refuse('nothing is on hold there')
  // What was given up is begun anew.
  const again = !assisted && (held.reason === 'apply' || held.reason === 'verify')
  return again ? { ...free, orders: { ...entry.orders, rotate: {} } } : free
}

async function rollback(call: Call<never>, core: Core, given: string) {
  const { entry } = await subjectOf(call, core, given)
  const early = entry.candidate !== undefined && entry.state !== 'ABORTED'
  const late = entry.previous !== undefined && entry.state !== 'REVOKED'
  if (!early && !late) throw new Failure('bad_request', 'there is nothing to go back to any more')
  return changed(call, core, given, (now) => ({
    ...now,
    orders: { ...now.orders, rollback: true },
    retryAt: undefined,
  }))
}

const SETTLED = new Set(['IDLE', 'STAGED', 'DRAINING', 'SOFT_REVOKED'])

async function reconcile(
  call: Call<never>,
  core: Core,
  data: { path: string; adopt: Record<string, unknown> | undefined },
) {
  const subject = await subjectOf(call, core, data.path)
  if (!SETTLED.has(subject.entry.state)) {
    throw new Failure('held', 'a rotation is under way: its outcome is settled by a login anyway')
  }
  const { adopt } = data
  if (adopt && subject.entry.previous) {
    throw new Failure('held', 'the generation before is still held: adopt when it has been let go')
  }
  return changed(call, core, data.path, (entry) => ({
    ...entry,
    orders: { ...entry.orders, reconcile: adopt ? { adopt } : {} },
  }))
}
