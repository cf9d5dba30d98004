/** One question to a RADIUS server over UDP: sent again while it is silent, until the time is up. */
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { Failure } from '../../kit/kit.ts'
import { type Random } from '../../lib/random.ts'
import { type Config } from './config.ts'
import { type AccessRequest, CODE, decodeResponse, encodeRequest } from './packet.ts'

/** Within one time limit; a datagram may be lost. */
const SENDS = 3

const trouble = (why: string, cause?: unknown) =>
  new Failure('internal', `radius operation failed: ${why}`, { cause })

/** Whether the server accepts the password. Throws a Failure (500) when it cannot be asked. */
export async function isAccepted(
  config: Config,
  { username, password, random }: { username: string; password: string; random: Random },
): Promise<boolean> {
  const request: AccessRequest = {
    identifier: random(1)[0]!,
    authenticator: random(16),
    username,
    password,
    nasPort: config.nas_port,
    nasIdentifier: config.nas_identifier,
  }
  const { address, family } = await resolved(config)
  const answer = await exchange(config, request, { address, family })
  if (!answer.authenticated && config.require_message_authenticator) {
    throw trouble(
      'the answer has no Message-Authenticator; have the server send it, or set' +
        ' require_message_authenticator to false',
    )
  }
  return answer.code === CODE.accept
}

async function resolved(config: Config): Promise<{ address: string; family: number }> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error('no address in time')),
    config.dial_timeout * 1000,
  )
  try {
    return await Promise.race([lookup(config.host), late])
  } catch (error) {
    throw trouble('the server has no address', error)
  } finally {
    clearTimeout(timer)
  }
}

function exchange(
  config: Config,
  request: AccessRequest,
  { address, family }: { address: string; family: number },
) {
  const bytes = encodeRequest(request, config.secret)
  // A port of its own for each question, so that there is one more thing to guess.
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  const { promise, resolve, reject } = Promise.withResolvers<{
    code: number
    authenticated: boolean
  }>()
  const waitMs = (config.read_timeout * 1000) / SENDS
  let left = SENDS
  const next = () => {
    if (left-- === 0) reject(trouble('the server did not answer'))
    else socket.send(bytes)
  }
  const timer = setInterval(next, waitMs)
  socket.on('error', (error) => reject(trouble('the server cannot be reached', error)))
  socket.on('message', (datagram) => {
    // Anything that is not its answer is as good as silence: others may write to this port.
    const response = decodeResponse(datagram, request, config.secret)
    if (response) resolve(response)
  })
  socket.connect(config.port, address, next)
  return promise.finally(() => {
    clearInterval(timer)
    socket.close()
  })
}
