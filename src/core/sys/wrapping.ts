/**
 * Wrapping tokens: one answer each, for one reader. Opening one ends it in the same transaction
 * that reads it, so of any number who try at once exactly one gets the answer; for everyone else
 * the token never was.
 */
import { Failure, refuse } from '../../kit/failure.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { type Answer, reply } from '../../kit/reply.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { isObject, parseJson } from '../../lib/json.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { type TokenEntry } from '../tokens.ts'
import { tokenById } from '../token/subject.ts'
import { isHere, turnOf, txOf } from '../turn.ts'
import { tokenInside } from '../wrapping-jwt.ts'
import { wrap, wrappedAccessorOf, wrappedEnvelope } from '../wrapping.ts'

export function wrappingEndpoints(core: Core): Endpoint[] {
  return [wrapEndpoint(), lookupEndpoint(core), unwrapEndpoint(core), rewrapEndpoint(core)]
}

type TokenCall = Call<{ token: unknown }>

/** `any`, because a token that is no string is refused in another way than a field is. */
const token = t.any({ help: 'The wrapping token; without it, the token of the request.' })

const unknownToken = () =>
  new Failure('bad_request', 'wrapping token is not valid or does not exist')

function wrapEndpoint(): Endpoint {
  return endpoint('wrapping/wrap', {
    help: 'Wraps the body as it is.',
    fields: {},
    anyBody: true,
    write(call) {
      if (call.wrapTtlSeconds <= 0) refuse('endpoint requires response wrapping to be used')
      return { ...call.body }
    },
    example: { note: 'for one reader' },
  })
}

/** The id in the body, or undefined when the request speaks of its own token. */
function givenToken(call: TokenCall): string | undefined {
  const { token: given } = call.data
  if (given === undefined || given === '' || given === null) return undefined
  if (typeof given === 'string') return given
  throw new Failure(
    'permission_denied',
    'error validating wrapping token: could not decode token in request body',
  )
}

function lookupEndpoint(core: Core): Endpoint {
  async function lookup(call: TokenCall): Promise<Answer> {
    const tx = txOf(call as never)
    const given = givenToken(call) ?? turnOf(call as never).request.token
    if (!given) refuse('missing "token" value in input')
    const id = await tokenInside(tx, given)
    const entry = id === undefined ? undefined : await core.tokens.find(tx, id, call.now)
    if (!entry?.wrapping || !(await isHere(call as never, entry.namespace))) throw unknownToken()
    const { creationPath, createdAt, ttlSeconds } = entry.wrapping
    return {
      creation_path: creationPath,
      creation_time: rfc3339(createdAt),
      creation_ttl: ttlSeconds,
    }
  }
  return endpoint('wrapping/lookup', {
    help: 'What made a wrapping token and how long it lives, without opening it.',
    access: 'public',
    fields: { token },
    read: lookup,
    write: lookup,
  })
}

type Opened = { entry: TokenEntry; envelope: string }

/**
 * What the wrapping token holds, with the token ended. The token of the request itself has paid
 * with its one use already and ends with the request.
 */
async function open(core: Core, call: TokenCall): Promise<Opened> {
  const tx = txOf(call as never)
  const { request, token: own } = turnOf(call as never)
  const given = givenToken(call)
  const another = given !== undefined && given !== request.token
  const id = given === undefined ? undefined : await tokenInside(tx, given)
  const entry = another ? id && (await tokenById(core, call, id)) : own
  const envelope = entry && (await wrappedEnvelope(tx, entry))
  if (!entry || envelope === undefined) throw unknownToken()
  if (another) await core.tokens.revokeTree(tx, entry)
  return { entry, envelope }
}

function unwrapEndpoint(core: Core): Endpoint {
  return endpoint('wrapping/unwrap', {
    help: 'The answer inside a wrapping token, as it was first given. Once.',
    fields: { token },
    async write(call) {
      const { envelope } = await open(core, call)
      return reply({ envelope: parseJson(envelope) as Record<string, unknown> })
    },
  })
}

function rewrapEndpoint(core: Core): Endpoint {
  return endpoint('wrapping/rewrap', {
    help: 'Moves an answer, unopened, into a new wrapping token that lives as long again.',
    fields: { token },
    async write(call) {
      const { entry, envelope } = await open(core, call)
      const { creationPath, ttlSeconds } = entry.wrapping!
      const wrappedAccessor = accessorInside(envelope)
      const made = wrap(txOf(call as never), core.tokens, {
        envelope,
        creationPath,
        ttlSeconds,
        ns: turnOf(call as never).ns,
        now: call.now,
        ...(wrappedAccessor && { wrappedAccessor }),
      })
      turnOf(call as never).made.tokens.push(made.entry)
      return reply({ wrapInfo: made.info })
    },
  })
}

function accessorInside(envelope: string): string | undefined {
  const { auth, data } = parseJson(envelope) as Record<string, unknown>
  return wrappedAccessorOf(isObject(auth) ? auth : undefined, isObject(data) ? data : undefined)
}
