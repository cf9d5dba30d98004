/**
 * Vault's verbs LIST and SCAN are not among the methods that node's HTTP parser knows, and its list
 * cannot be extended. So the four letters are replaced in the bytes, before the parser sees them,
 * with four letters of a method it knows and Vault does not use; the length stays, nothing else is
 * touched. The replacement itself, sent by a client there, becomes a method that is refused.
 *
 * Bytes that are looked at here cost a third of a cached read, for otherwise they never leave node's
 * own code. So a connection is watched only from its first LIST on: the parser gives up at that word,
 * and a new one goes on from there, with a relay in the socket's place.
 *
 * On a connection that is watched, only the first word of a request is looked at: at the beginning,
 * and whenever the parser has read the latest request to its end. A client that sends a request
 * together with the one before it (pipelining, which none of Vault's clients does) cannot use LIST
 * for it, and is refused.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { Relay } from './relay.ts'

/** What the parser is told → what the client said. */
const DISGUISES: Readonly<Record<string, string>> = { LINK: 'LIST', BIND: 'SCAN' }

const WORD_BYTES = 4
const [SPACE, CR, LF] = [0x20, 0x0d, 0x0a]
const X = 0x58
/** What the parser is told at each letter of a word that comes in pieces. */
const PIECES: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries({ LIST: 'LINK', SCAN: 'BIND' }).flatMap(([word, disguise]) =>
    [1, 2, 3, 4].map((end) => [word.slice(0, end), disguise.charCodeAt(end - 1)]),
  ),
)
const LOCK = Buffer.from('LOCK')
const swaps: readonly (readonly [from: Buffer, to: Buffer])[] = [
  [Buffer.from('LIST'), Buffer.from('LINK')],
  [Buffer.from('SCAN'), Buffer.from('BIND')],
  [Buffer.from('LINK'), LOCK],
  [Buffer.from('BIND'), LOCK],
]
const FIRST_LETTERS = new Set(swaps.map(([from]) => from[0]))

/** A connection that is watched. */
type Watched = {
  /** The newest request that the parser has told of. */
  latest: IncomingMessage | undefined
  /** The newest one when the first byte of the present request came. */
  before: IncomingMessage | undefined
  /** Whether the first word of the present request is behind us. */
  begun: boolean
  /** The letters of that word so far, when it comes in pieces. */
  said: string
}
/** One that is not: the newest answer on it, or what has taken its place. */
type Plain = { answer: ServerResponse | undefined; relay: Relay | undefined }

const watched = new WeakMap<Duplex, Watched>()
const plain = new WeakMap<Duplex, Plain>()

type Refuse = (error: NodeJS.ErrnoException, socket: Socket) => void

/** `refuse` is told of what no parser takes; node's own answer is a 400 as well. */
export function allowListMethod(server: Server, refuse: Refuse = refuseBare): void {
  const begin = (socket: Duplex) => {
    if (!watched.has(socket)) plain.set(socket, { answer: undefined, relay: undefined })
  }
  server.on('connection', begin)
  server.on('secureConnection', begin)
  server.prependListener('request', (request: IncomingMessage, answer: ServerResponse) => {
    const connection = plain.get(request.socket)
    if (connection) connection.answer = answer
    else watched.get(request.socket)!.latest = request
  })
  server.on('clientError', (error: ParserError, socket) => {
    const connection = plain.get(socket)
    // Its parser has been left behind in the middle of a request, and is heard of once more.
    if (connection?.relay) return
    const begins = connection && isIdle(connection) ? beginsWithWord(error) : false
    if (begins) connection!.relay = goOn(server, socket as Socket, error.rawPacket!)
    else refuse(error, socket as Socket)
  })
}

/** The method as the client said it. */
export function methodOf({ method = '', socket }: IncomingMessage): string {
  const said = DISGUISES[method]
  return said !== undefined && watched.has(socket) ? said : method
}

const refuseBare: Refuse = (_error, socket) => {
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
}

/** Nothing is being answered: what was asked before and what comes now cannot be mixed up. */
const isIdle = ({ answer }: Plain) => answer === undefined || answer.writableFinished

type ParserError = NodeJS.ErrnoException & { rawPacket?: Buffer; bytesParsed?: number }

/**
 * Whether the parser gave up at one of our words, and these bytes begin with it. Of a word that was
 * cut so early that its first letters went through, nothing is known here: it stays refused.
 */
function beginsWithWord({ code, rawPacket, bytesParsed }: ParserError): boolean {
  if (code !== 'HPE_INVALID_METHOD' || !rawPacket) return false
  const at = wordAt(rawPacket)
  const said = rawPacket.toString('latin1', at, at + WORD_BYTES + 1)
  const word = ['LIST ', 'SCAN '].find((one) => one.startsWith(said))
  return word !== undefined && said !== '' && bytesParsed! >= at && bytesParsed! < at + WORD_BYTES
}

/** From here on a new parser has the connection, and every byte comes by. */
function goOn(server: Server, socket: Socket, bytes: Buffer): Relay {
  const relay = new Relay(socket)
  watch(relay)
  server.emit(relay.encrypted ? 'secureConnection' : 'connection', relay)
  relay.push(bytes)
  return relay
}

function watch(socket: Duplex): void {
  const connection: Watched = { latest: undefined, before: undefined, begun: false, said: '' }
  watched.set(socket, connection)
  socket.prependListener('data', (chunk: Buffer) => {
    const { latest, before, begun } = connection
    if (begun) {
      // Still inside: its header or its body has not ended, whatever these bytes look like.
      if (latest === undefined || latest === before || !latest.complete) return
      connection.before = latest
      connection.begun = false
      connection.said = ''
    }
    disguise(connection, chunk)
  })
}

/** The parser allows empty lines before a request, so a word after one counts as the first too. */
function wordAt(chunk: Buffer): number {
  let at = 0
  while (chunk[at] === CR || chunk[at] === LF) at++
  return at
}

function disguise(connection: Watched, chunk: Buffer): void {
  const at = connection.said === '' ? wordAt(chunk) : 0
  if (at === chunk.length) return
  if (connection.said !== '' || chunk.length - at <= WORD_BYTES) {
    disguisePieces(connection, chunk, at)
    return
  }
  connection.begun = true
  if (!FIRST_LETTERS.has(chunk[at]) || chunk[at + WORD_BYTES] !== SPACE) return
  for (const [from, to] of swaps) {
    if (chunk.compare(from, 0, WORD_BYTES, at, at + WORD_BYTES) !== 0) continue
    to.copy(chunk, at)
    return
  }
}

/**
 * The same for a word that comes in pieces, a letter at a time if need be. What was passed on cannot
 * be taken back, so LINK and BIND end as words that the parser refuses, as does anything after LIS
 * but T, and anything that begins with S but is not SCAN: no such method is Vault's.
 */
function disguisePieces(connection: Watched, chunk: Buffer, from: number): void {
  for (let at = from; at < chunk.length; at++) {
    const said = connection.said + String.fromCharCode(chunk[at]!)
    connection.said = said
    const told = PIECES[said]
    if (told !== undefined) chunk[at] = told
    else if (/^(?:LIS|S|LIN$|B$)/.test(said)) chunk[at] = X
    connection.begun = told === undefined || said.length === WORD_BYTES
    if (connection.begun) return
  }
}
