/**
 * Vault's verbs LIST and SCAN are not among the methods that node's HTTP parser knows, and its list
 * cannot be extended. So the four letters are replaced in the bytes, before the parser sees them,
 * with four letters of a method it knows and Vault does not use; the length stays, nothing else is
 * touched. The replacement itself, sent by a client, becomes a method that is refused.
 *
 * Only the first word of a request is looked at: on a new connection, and whenever the parser has
 * read the latest request to its end. A client that sends a request together with the one before it
 * (pipelining, which none of Vault's clients does) cannot use LIST for it, and is refused.
 */
import type { IncomingMessage, Server } from 'node:http'
import { type Socket } from 'node:net'

/** What the parser is told → what the client said. */
export const DISGUISES: Readonly<Record<string, string>> = { LINK: 'LIST', BIND: 'SCAN' }

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

type Connection = {
  /** The newest request that the parser has told of. */
  latest: IncomingMessage | undefined
  /** The newest one when the first byte of the present request came. */
  before: IncomingMessage | undefined
  /** Whether the first word of the present request is behind us. */
  begun: boolean
  /** The letters of that word so far, when it comes in pieces. */
  said: string
}

const connections = new WeakMap<Socket, Connection>()

export function allowListMethod(server: Server): void {
  server.on('connection', watch)
  server.on('secureConnection', watch)
  server.prependListener('request', (request: IncomingMessage) => {
    const connection = connections.get(request.socket)
    if (connection) connection.latest = request
  })
}

function watch(socket: Socket): void {
  const connection: Connection = { latest: undefined, before: undefined, begun: false, said: '' }
  connections.set(socket, connection)
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

function disguise(connection: Connection, chunk: Buffer): void {
  let at = 0
  // The parser allows empty lines before a request, so a word after one counts as the first too.
  if (connection.said === '') while (chunk[at] === CR || chunk[at] === LF) at++
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
function disguisePieces(connection: Connection, chunk: Buffer, from: number): void {
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
