/**
 * A FAKE MongoDB: no server of that name is in Debian, so this speaks its wire protocol (OP_MSG with
 * BSON, SCRAM-SHA-256) for the few commands that the database engine sends, and keeps users in memory.
 * It shows that the driver is used rightly; what a real server makes of a command it cannot show.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { BSON, type Document } from 'mongodb'

export type FakeMongo = AsyncDisposable & {
  readonly port: number
  readonly superuser: { username: string; password: string }
  /** By name: password and roles. */
  readonly users: Map<string, User>
  /** The commands that were sent, without what belongs to a session. */
  readonly said: Document[]
}
type User = { pwd: string; roles: unknown[] }
type Reply = Document
type Conversation = {
  user: string
  firstBare: string
  serverFirst: string
  nonce: string
  salt: Buffer
}

const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013
const ITERATIONS = 4096

const fails = (code: number, codeName: string): Reply => ({
  ok: 0,
  code,
  codeName,
  errmsg: codeName,
})

const HELLO = {
  ok: 1,
  helloOk: true,
  isWritablePrimary: true,
  ismaster: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  minWireVersion: 0,
  maxWireVersion: 21,
  readOnly: false,
}

export async function fakeMongo(): Promise<FakeMongo> {
  const superuser = { username: 'admin', password: 'superuser-password' }
  const users = new Map<string, User>([['admin', { pwd: superuser.password, roles: ['root'] }]])
  const said: Document[] = []
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    const session: Session = { users, said, user: undefined, talk: undefined }
    let waiting = Buffer.alloc(0)
    socket.on('data', (data: Buffer) => {
      waiting = Buffer.concat([waiting, data])
      while (waiting.length >= 16 && waiting.length >= waiting.readInt32LE(0)) {
        const message = waiting.subarray(0, waiting.readInt32LE(0))
        waiting = waiting.subarray(message.length)
        socket.write(answered(message, session))
      }
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    superuser,
    users,
    said,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}

type Session = {
  users: Map<string, User>
  said: Document[]
  user: string | undefined
  talk: Conversation | undefined
}

function answered(message: Buffer, session: Session): Buffer {
  const id = message.readInt32LE(4)
  if (message.readInt32LE(12) === OP_QUERY) {
    // The first question of a driver may come in the old form: flags, name, skip, return, document.
    const name = message.indexOf(0, 20)
    const query = BSON.deserialize(message.subarray(name + 9))
    const body = Buffer.alloc(20)
    body.writeInt32LE(1, 16)
    return framed(id, OP_REPLY, [body, BSON.serialize(reply(query, session))])
  }
  const command = BSON.deserialize(message.subarray(21), { promoteBuffers: true })
  return framed(id, OP_MSG, [Buffer.alloc(5), BSON.serialize(reply(command, session))])
}

function framed(to: number, code: number, parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(16)
  head.writeInt32LE(16 + body.length, 0)
  head.writeInt32LE(to, 8)
  head.writeInt32LE(code, 12)
  return Buffer.concat([head, body])
}

function reply(command: Document, session: Session): Reply {
  const { lsid: _, $clusterTime: __, ...plain } = command
  const [verb = ''] = Object.keys(plain)
  if (/^(hello|ismaster)$/i.test(verb)) return { ...HELLO, saslSupportedMechs: ['SCRAM-SHA-256'] }
  if (verb === 'saslStart') return saslStart(command, session)
  if (verb === 'saslContinue') return saslContinue(command, session)
  if (verb === 'endSessions') return { ok: 1 }
  if (session.user === undefined) return fails(13, 'Unauthorized')
  session.said.push(plain)
  return onUsers(verb, plain, session.users)
}

function onUsers(verb: string, plain: Document, users: Map<string, User>): Reply {
  const name = String(plain[verb])
  const known = users.get(name)
  switch (verb) {
    case 'ping':
      return { ok: 1 }
    case 'createUser':
      if (known) return fails(51_003, 'Location51003')
      users.set(name, { pwd: String(plain['pwd']), roles: plain['roles'] as unknown[] })
      return { ok: 1 }
    case 'updateUser':
      if (!known) return fails(11, 'UserNotFound')
      users.set(name, {
        pwd: String(plain['pwd'] ?? known.pwd),
        roles: (plain['roles'] as unknown[] | undefined) ?? known.roles,
      })
      return { ok: 1 }
    case 'dropUser':
      return users.delete(name) ? { ok: 1 } : fails(11, 'UserNotFound')
    case 'usersInfo':
      return { ok: 1, users: known ? [{ user: name, db: plain['$db'], roles: known.roles }] : [] }
    default:
      return fails(59, 'CommandNotFound')
  }
}

const payloadOf = (command: Document) => Buffer.from(command['payload'] as Uint8Array).toString()
const payload = (text: string) => new BSON.Binary(Buffer.from(text))

function saslStart(command: Document, session: Session): Reply {
  if (command['mechanism'] !== 'SCRAM-SHA-256') return fails(2, 'BadValue')
  const firstBare = payloadOf(command).replace(/^n,,/, '')
  const [, name = '', clientNonce = ''] = /^n=([^,]*),r=(.*)$/.exec(firstBare) ?? []
  const nonce = clientNonce + randomBytes(12).toString('base64')
  const salt = randomBytes(28)
  const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${ITERATIONS}`
  const user = name.replaceAll('=2C', ',').replaceAll('=3D', '=')
  session.talk = { user, firstBare, serverFirst, nonce, salt }
  return { ok: 1, conversationId: 1, done: false, payload: payload(serverFirst) }
}

function saslContinue(command: Document, session: Session): Reply {
  const { talk } = session
  const text = payloadOf(command)
  if (!talk) return fails(17, 'ProtocolError')
  if (text === '') return { ok: 1, conversationId: 1, done: true, payload: payload('') }
  const [, withoutProof = '', proof = ''] = /^(.*),p=(.*)$/.exec(text) ?? []
  const known = session.users.get(talk.user)
  const salted = pbkdf2Sync(known?.pwd ?? '', talk.salt, ITERATIONS, 32, 'sha256')
  const hmac = (key: Buffer, of: string) => createHmac('sha256', key).update(of).digest()
  const clientKey = hmac(salted, 'Client Key')
  const stored = createHash('sha256').update(clientKey).digest()
  const auth = `${talk.firstBare},${talk.serverFirst},${withoutProof}`
  const signature = hmac(stored, auth)
  const wanted = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!))
  const given = Buffer.from(proof, 'base64')
  const right = given.length === wanted.length && timingSafeEqual(given, wanted)
  if (!known || !right) return fails(18, 'AuthenticationFailed')
  session.user = talk.user
  const server = hmac(hmac(salted, 'Server Key'), auth).toString('base64')
  return { ok: 1, conversationId: 1, done: true, payload: payload(`v=${server}`) }
}
