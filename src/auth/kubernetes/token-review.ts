/**
 * Asking the Kubernetes API whether a token is good now: a TokenReview. It alone knows of accounts
 * and pods that are gone, so it is asked at every login.
 */
import { readFile } from 'node:fs/promises'
import { Failure } from '../../kit/kit.ts'
import { isObject } from '../../lib/json.ts'
import { outbound, OutboundError } from '../../lib/outbound.ts'
import { parseStrictObject } from '../../lib/strict-json.ts'
import { type Config, urlOf } from './config.ts'
import { type ServiceAccount } from './service-account.ts'

/** What Kubernetes gives a pod. */
const POD_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
const PATH = '/apis/authentication.k8s.io/v1/tokenreviews'

const denied = () => new Failure('permission_denied')

/** Refuses (403) unless the API knows the token as this account's; 500 when it cannot be asked. */
export async function reviewToken(
  config: Config,
  { token, audience, account }: { token: string; audience: string; account: ServiceAccount },
): Promise<void> {
  const status = await review(config, token, audience)
  const user = isObject(status['user']) ? status['user'] : {}
  if (status['authenticated'] !== true || status['error']) throw denied()
  const { namespace, name, uid } = account
  if (user['username'] !== `system:serviceaccount:${namespace}:${name}`) throw denied()
  if (user['uid'] !== uid) throw denied()
  if (audience !== '' && ![status['audiences']].flat().includes(audience)) throw denied()
}

async function review(config: Config, token: string, audience: string) {
  const pod = config.disable_local_ca_jwt ? undefined : await podCredentials()
  const bearer = config.token_reviewer_jwt || pod?.token || token
  const trouble = (cause: unknown) =>
    new Failure('internal', 'the Kubernetes API could not be asked about the token', { cause })
  try {
    const told = await outbound({
      url: `${urlOf(config)}${PATH}`,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
      body: JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, ...(audience !== '' && { audiences: [audience] }) },
      }),
      caPem: config.kubernetes_ca_cert || pod?.ca,
    })
    // With the caller's own token as bearer, a bad one is refused before it is reviewed.
    if (told.status === 401 && bearer === token) throw denied()
    const answer = told.status === 200 || told.status === 201 ? told.text : ''
    const status = parseStrictObject(Buffer.from(answer))?.['status']
    if (!isObject(status)) throw new OutboundError(`answered with status ${told.status}`)
    return status
  } catch (error) {
    if (error instanceof OutboundError) throw trouble(error)
    throw error
  }
}

async function podCredentials(): Promise<{ token: string; ca: string } | undefined> {
  try {
    const [token, ca] = await Promise.all([
      readFile(`${POD_FOLDER}/token`, 'utf8'),
      readFile(`${POD_FOLDER}/ca.crt`, 'utf8'),
    ])
    return { token: token.trim(), ca }
  } catch {
    return undefined
  }
}
