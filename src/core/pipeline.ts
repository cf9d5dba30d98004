/**
 * The one way from a request to an answer. Decide, write the audit line whatever was decided, then
 * refuse or run: no handler can be reached another way, and an audit line that cannot be written
 * stops the answer. The letters say for which access a step runs; a step marked `!` runs even when
 * the request has been refused.
 *
 * All of it happens in one transaction. When something it read has changed by the time it commits,
 * everything is done again from the start: it had no effect yet.
 */
import { StoreConflict } from '../storage/store.ts'
import { Failure } from '../kit/failure.ts'
import { type Access } from '../kit/engine.ts'
import { type Core } from './core.ts'
import { failureOf, response } from './envelope.ts'
import { withinLeaseCount } from './lease-counts.ts'
import { settleForeign } from './foreign.ts'
import * as lockout from './lockout.ts'
import * as place from './place.ts'
import * as quotas from './quotas.ts'
import * as step from './steps.ts'
import { whoIsAsking } from './who-is-asking.ts'
import { newTurn, type Request, type Response, type Turn } from './turn.ts'

type Step = readonly [
  name: string,
  on: string,
  run: (turn: Turn, core: Core) => Promise<void> | void,
]

// oxfmt-ignore
const STEPS: readonly Step[] = [
  //                           public, login, ordinary, sudo
  ['find namespace and mount', 'plos',  place.findMount],
  ['within the rate limit',    'plos',  quotas.withinRateLimit],
  ['refuse when sealed',       'plos',  step.refuseWhenSealed],
  ['refuse when locked',       'plos',  place.refuseWhenLocked],
  ['refuse a folder write',    'plos',  step.refuseFolderWrite],
  ['who is asking',            '..os',  whoIsAsking],
  ['create or update',         '.los',  step.createOrUpdate],
  ['may they, here',           '..os',  step.mayThey],
  ['do they have sudo',        '...s',  step.haveSudo],
  ['spend a use',              '..os!', step.spendUse],
  ['audit the request',        'plos!', step.auditRequest],
  ['is there such a path',     'plos',  step.isThereSuchAPath],
  ['read and check fields',    'plos',  step.readFields],
  ['is the user locked out',   '.l..',  lockout.refuseLockedUser],
  ['call the endpoint',        'plos',  step.callEndpoint],
  ['forget failed logins',     '.l..',  lockout.forgetFailures],
  ['issue a token or lease',   '.los',  step.issue],
  ['within the lease count',   'plos',  withinLeaseCount],
  ['wrap the response',        '.los',  step.wrapResponse],
  ['drop what was refused',    'plos!', step.dropRefused],
  ['count a failed login',     '.l..!', lockout.countFailure],
  ['end a spent token',        '..os!', step.endSpentToken],
  ['commit',                   'plos!', step.commit],
  ['audit the response',       'plos!', step.auditResponse],
]

type Act = { run: Step[2]; always: boolean }

/** The steps of one kind of access, picked from the table once. */
function column(letter: string): Act[] {
  const picked = STEPS.filter(([, on]) => on.includes(letter))
  return picked.map(([, on, run]) => ({ run, always: on.endsWith('!') }))
}

const COLUMNS: Record<Access, Act[]> = {
  public: column('p'),
  login: column('l'),
  ordinary: column('o'),
  sudo: column('s'),
}
const ATTEMPTS_MAX = 20

/**
 * Requests of one core that have lost a race go on one at a time, in the order they came: of many
 * that want the same entry each then waits for one commit, instead of all but one losing again.
 */
const lines = new WeakMap<Core, Promise<void>>()

async function inLine(core: Core): Promise<() => void> {
  const before = lines.get(core)
  const { promise, resolve } = Promise.withResolvers<void>()
  lines.set(core, promise)
  await before
  return resolve
}

/** The answer to a request. Never throws: whatever goes wrong is an answer too. */
export async function handle(request: Request, core: Core): Promise<Response> {
  const startedAt = performance.now()
  const done = (turn: Turn): Response => {
    const answer = response(turn)
    core.honey.look(turn, answer.status)
    core.observe?.(turn, { status: answer.status, seconds: (performance.now() - startedAt) / 1000 })
    return answer
  }
  let audited: Promise<void> | undefined
  let leave: (() => void) | undefined
  for (let attempt = 1; ; attempt++) {
    const turn = newTurn(request, core.clock.now())
    turn.audited = audited
    leave ??= attempt > 1 ? await inLine(core) : undefined
    try {
      const begun = core.begin(attempt === 1)
      turn.tx = begun instanceof Promise ? await begun : begun
      const again = await run(turn, core)
      if (!again) {
        leave?.()
        const undoing = settleForeign(turn, core)
        if (undoing) await undoing
        for (const act of turn.atLast) await act()
        for (const act of turn.afterReply) setImmediate(act)
        return done(turn)
      }
      ;({ audited } = turn)
      if (attempt < ATTEMPTS_MAX) continue
      turn.refusal = new Failure('conflict')
    } catch (error) {
      turn.refusal = error instanceof Error ? error : new Error('thrown a non-error')
    }
    leave?.()
    await settleForeign(turn, core)
    core.report(turn.refusal, request)
    await auditFailed(turn, core)
    return done(turn)
  }
}

/** A request that did not come to the end of its steps is in the audit log all the same. */
async function auditFailed(turn: Turn, core: Core): Promise<void> {
  // It had no effect, so there is nothing to tell of it and nothing to undo.
  turn.reply = undefined
  turn.made = { tokens: [] }
  if (turn.answerAudited) return
  try {
    await step.auditRequest(turn, core)
    await step.auditResponse(turn, core)
  } catch (error) {
    turn.refusal = error instanceof Error ? error : new Error('thrown a non-error')
  }
}

/** Runs every step once; true when it must all be done again. */
async function run(turn: Turn, core: Core): Promise<boolean> {
  let acts = COLUMNS[turn.kind]
  for (let i = 0; i < acts.length; i++) {
    // The first step, `find namespace and mount`, says which column the rest is of.
    if (i === 1) acts = COLUMNS[turn.kind]
    const { run: act, always } = acts[i]!
    if (turn.refusal !== undefined && !always) continue
    try {
      const pending = act(turn, core)
      if (pending) await pending
    } catch (error) {
      if (error instanceof StoreConflict) return true
      turn.refusal = error instanceof Error ? error : new Error('thrown a non-error')
      // 503 is the state of the server, not a trouble of this request.
      if (failureOf(turn.refusal, turn.request.id).status === 500)
        core.report(turn.refusal, turn.request)
    }
  }
  return false
}
