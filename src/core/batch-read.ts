/**
 * Reads many paths for one request. Each goes through the same steps as a request of its own: its
 * mount, its ACL, its fields, its handler, its two audit entries. All see one snapshot, and what goes
 * wrong with one is the answer for that one.
 */
import { Failure, refuse } from '../kit/failure.ts'
import { StoreConflict } from '../storage/store.ts'
import { canonicalInput } from './canonical-path.ts'
import { type Core } from './core.ts'
import { failureOf } from './envelope.ts'
import { findMount, refuseWhenLocked } from './place.ts'
import { callEndpoint, haveSudo, isThereSuchAPath, mayThey, readFields } from './steps.ts'
import { noteServed } from './rotation/served.ts'
import { type Turn } from './turn.ts'

export type Answered = {
  path: string
  status: number
  data?: unknown
  lease_duration?: number
  warnings?: readonly string[]
  errors?: readonly string[]
}

/** A limited token pays for each path: as one request it would be a way around the limit. */
export function payFor(turn: Turn, core: Core, count: number): void {
  const { token, tx } = turn
  const more = count - 1
  // The step before has counted one; below zero is the last one, which is spent.
  if (!token || !tx || token.numUses === 0 || more <= 0) return
  const left = turn.lastUse ? 0 : token.numUses
  if (more > left) {
    refuse(`the token may be used ${left + 1} more times, and each path counts as one`)
  }
  turn.lastUse = more === left
  turn.token = { ...token, numUses: turn.lastUse ? -1 : left - more }
  core.tokens.save(tx, turn.token)
}

export async function readOne(
  turn: Turn,
  core: Core,
  { path, data }: { path: string; data: Readonly<Record<string, unknown>> },
): Promise<Answered> {
  let part = partOf(turn, path, data)
  const mark = turn.tx!.mark()
  try {
    const canonical = canonicalInput(path.replace(/^\//, ''))
    part = { ...part, path: canonical, request: { ...part.request, path: canonical } }
    await run(part, core)
  } catch (error) {
    // What it read has changed: all of it is read again.
    if (error instanceof StoreConflict) throw error
    turn.tx!.rollback(mark)
    part.refusal = error instanceof Error ? error : new Error('thrown a non-error')
    part.reply = undefined
    if (!(error instanceof Failure)) core.report(part.refusal, turn.request)
  }
  turn.parts.push(part)
  return answerOf(path, part)
}

function partOf(turn: Turn, path: string, data: Readonly<Record<string, unknown>>): Turn {
  return {
    ...turn,
    request: { ...turn.request, verb: 'read', data, wrapTtlSeconds: 0 },
    path,
    mount: undefined,
    match: undefined,
    kind: 'ordinary',
    operation: 'read',
    allowed: false,
    grantingPolicies: [],
    listRules: {},
    page: {},
    fields: undefined,
    call: undefined,
    refusal: undefined,
    reply: undefined,
    warnings: [],
    asked: undefined,
    parts: [],
    afterCommit: [],
    atLast: [],
    afterReply: [],
  }
}

async function run(part: Turn, core: Core): Promise<void> {
  await findMount(part, core)
  refuseWhenLocked(part)
  if (part.kind !== 'public') {
    mayThey(part)
    if (part.kind === 'sudo') haveSudo(part)
  } else part.allowed = true
  isThereSuchAPath(part)
  if (part.kind === 'login') refuse('this path logs in, which is not done in a batch')
  // Before the engine has made anything that would have to be taken back.
  if (part.mount?.engine.leases) refuse('this path may issue a lease: read it by itself')
  readFields(part)
  await callEndpoint(part, core)
  const { reply } = part
  if (reply?.served) await noteServed(part)
  if (reply?.lease || reply?.login || reply?.auth)
    refuse('this path issues something: read it alone')
  if (reply?.raw || reply?.envelope) refuse('this path does not answer with JSON: read it alone')
  if (part.afterCommit.length + part.atLast.length + part.afterReply.length > 0) {
    refuse('this path does more than answer: read it alone')
  }
}

function answerOf(path: string, { refusal, reply, request }: Turn): Answered {
  if (refusal) {
    const failure = failureOf(refusal, request.id)
    return { path, status: failure.status, errors: failure.message === '' ? [] : [failure.message] }
  }
  const data = reply?.bare ?? reply?.data
  const { warnings } = reply ?? {}
  if (data === undefined && !warnings) return { path, status: reply?.status ?? 404, errors: [] }
  return {
    path,
    status: reply?.status ?? 200,
    data: data ?? null,
    ...(reply?.leaseSeconds !== undefined && { lease_duration: reply.leaseSeconds }),
    ...(warnings && { warnings }),
  }
}
