/**
 * The way back from a provider. A program that began the login shows what only it knows, and gets
 * the token. A browser is asked first whether its user began it: otherwise whoever sends around a
 * link to a login of theirs would be given the access of those who follow it.
 */
import { type Call, checkTokenPeer, endpoint, Failure, refuse, reply, t } from '../../kit/kit.ts'
import { type Reply } from '../../kit/reply.ts'
import { OutboundError } from '../../lib/outbound.ts'
import { requireProvider } from './auth-url.ts'
import { TokenError } from './claims.ts'
import { claimsOf } from './id-token.ts'
import { grant } from './login.ts'
import {
  type Arrived,
  digest,
  findState,
  isOfDigest,
  type Pending,
  randomText,
  removeState,
  saveState,
} from './oidc-state.ts'
import { confirmPage, failedPage, returnPage } from './page.ts'
import { findRole } from './role.ts'

const FAILED = 'Vault login failed.'
const EXPIRED = `${FAILED} Expired or missing OAuth state.`

const fields = {
  state: t.string({ help: 'The state of the login.', default: '', sensitive: true }),
  code: t.string({ help: 'What the provider gave.', default: '', sensitive: true }),
  id_token: t.string({ help: 'What the provider gave.', default: '', sensitive: true }),
  client_nonce: t.string({ help: 'The secret the login was begun with.', sensitive: true }),
  confirm: t.string({ help: 'What the page that asks has sent.', sensitive: true }),
  iss: t.string({ help: 'The provider, where it says so.' }),
  error: t.string({ help: 'The provider has refused.' }),
  error_description: t.string({ help: 'Not looked at.' }),
  error_uri: t.string({ help: 'Not looked at.' }),
  session_state: t.string({ help: 'Not looked at.' }),
  scope: t.string({ help: 'Not looked at.' }),
}

type Data = {
  state: string
  code: string
  id_token: string
  client_nonce: string | undefined
  confirm: string | undefined
  iss: string | undefined
  error: string | undefined
}

export const callbackEndpoint = endpoint('oidc/callback', {
  help: 'Where a provider sends a browser back to, and where a program ends its login.',
  access: 'login',
  fields,
  read: (call) => comeBack(call, false),
  write: (call) => comeBack(call, true),
  example: { state: 'st_…', code: 'abc', client_nonce: 'def' },
})

async function comeBack(call: Call<Data>, posted: boolean): Promise<Reply> {
  const browser = call.header('accept')?.includes('text/html') ?? false
  try {
    const answer = await onTheWayBack(call, { posted, browser })
    return browser && answer.bare ? failedPage(answer.status ?? 400) : answer
  } catch (error) {
    if (browser && error instanceof Failure) return failedPage(error.status)
    throw error
  }
}

async function onTheWayBack(
  call: Call<Data>,
  { posted, browser }: { posted: boolean; browser: boolean },
): Promise<Reply> {
  const { data, store, now } = call
  const pending = await findState(store, data.state, now)
  if (!pending) return refuse(EXPIRED)
  const begun = pending.client_nonce !== ''
  if (data.confirm !== undefined) return confirmed(call, pending)
  if (begun && data.client_nonce !== undefined) {
    if (!isOfDigest(data.client_nonce, pending.client_nonce)) refuse('invalid client_nonce')
    const kept = pending.approved ? pending.arrived : undefined
    return finish(call, pending, given(data) ?? kept)
  }
  if (begun && !posted && !browser) refuse('invalid client_nonce')
  if (data.error !== undefined) return failed(call, `${FAILED} The provider has refused it.`)
  const arrived = given(data)
  if (!arrived) return failed(call, `${FAILED} No code or id_token received.`)
  // What came first stays: nobody may put a code of theirs into the login of another.
  const before = pending.arrived
  if (before && !isOfDigest(JSON.stringify(arrived), digest(JSON.stringify(before)))) {
    refuse(EXPIRED)
  }
  if (browser) return ask(call, pending, arrived)
  if (!begun) return finish(call, pending, arrived)
  saveState(store, data.state, { ...pending, arrived, approved: true })
  return returnPage()
}

function given({ code, id_token }: Data): Arrived | undefined {
  return code === '' && id_token === '' ? undefined : { code, id_token }
}

function ask(call: Call<Data>, pending: Pending, arrived: Arrived): Reply {
  const { state } = call.data
  const confirmation = randomText(call)
  saveState(call.store, state, { ...pending, arrived, confirmation: digest(confirmation) })
  return confirmPage({ mountPath: call.mount.path, role: pending.role, state, confirmation })
}

function confirmed(call: Call<Data>, pending: Pending): Promise<Reply> | Reply {
  if (!isOfDigest(call.data.confirm, pending.confirmation)) refuse(EXPIRED)
  if (pending.client_nonce === '') return finish(call, pending, pending.arrived)
  const { confirmation: _, ...rest } = pending
  saveState(call.store, call.data.state, { ...rest, approved: true })
  return returnPage()
}

/** Ends a login, well or badly: its state is used up either way. */
async function finish(
  call: Call<Data>,
  pending: Pending,
  arrived: Arrived | undefined,
): Promise<Reply> {
  if (!arrived) return failed(call, `${FAILED} No code or id_token received.`)
  removeState(call.store, call.data.state)
  try {
    return await concluded(call, pending, arrived)
  } catch (error) {
    if (error instanceof TokenError) {
      return failed(call, `${FAILED} Token verification failed: ${error.message}.`)
    }
    if (error instanceof OutboundError) {
      return failed(call, `${FAILED} Error exchanging oidc code: the provider ${error.message}.`)
    }
    if (error instanceof Failure) return failed(call, error.message, error.status)
    throw error
  }
}

async function concluded(call: Call<Data>, pending: Pending, arrived: Arrived): Promise<Reply> {
  const found = await findRole(call.store, pending.role)
  if (!found) return refuse(`${FAILED} Role could not be found`)
  checkTokenPeer(found.tokens, call.remoteAddress)
  const provider = await requireProvider(call)
  const { iss } = call.data
  // A provider that says who it is must be the one that was asked (RFC 9207).
  if (iss !== undefined && iss !== provider.discovery.issuer) {
    refuse(`${FAILED} Another provider has answered.`)
  }
  if (arrived.code === '' && !provider.config.oidc_response_types.includes('id_token')) {
    refuse(`${FAILED} No code received.`)
  }
  const { redirect_uri: redirectUri, verifier, nonce } = pending
  const answer = { arrived, redirectUri, verifier, nonce }
  const { role, tokens } = found
  // A code is good for one question, however often this has to be done again.
  const claims = await call.once(['claims', pending.nonce, arrived.code], () =>
    claimsOf(provider, answer, { role, now: call.now }),
  )
  return grant(claims, { name: pending.role, role, tokens })
}

/** A refusal that is an answer: what was stored stays, so that the state cannot be tried again. */
function failed(call: Call<Data>, text: string, status = 400): Reply {
  removeState(call.store, call.data.state)
  return reply({ status, bare: { errors: [text] } })
}
