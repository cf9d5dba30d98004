/**
 * Vault's verbs LIST and SCAN are not among the methods that node's HTTP parser knows, and its list
 * cannot be extended. So the four letters are replaced in the bytes, before the parser sees them,
 * with four letters of a method it knows and Vault does not use; the length stays, nothing else is
 * touched. The replacement itself, sent by a client, becomes a method that is refused.
 *
 * Only the first bytes of a request are looked at. A connection is at such a point when it is new
 * or when the request before has been read to its end, which `expectRequest` says.
 */
import { type IncomingMessage, type Server } from 'node:http'
import { type Socket } from 'node:net'

/** What the parser is told → what the client said. */
export const DISGUISES: Readonly<Record<string, string>> = { LINK: 'LIST', BIND: 'SCAN' }

const WORD_BYTES = 4
const SPACE = 0x20
const LOCK = Buffer.from('LOCK')
const swaps: readonly (readonly [from: Buffer, to: Buffer])[] = [
  [Buffer.from('LIST'), Buffer.from('LINK')],
  [Buffer.from('SCAN'), Buffer.from('BIND')],
  [Buffer.from('LINK'), LOCK],
  [Buffer.from('BIND'), LOCK],
]
const FIRST_LETTERS = new Set(swaps.map(([from]) => from[0]))

/** Sockets whose next byte is the first of a request. */
const fresh = new WeakSet<Socket>()

export function allowListMethod(server: Server): void {
  server.on('connection', watch)
  server.on('secureConnection', watch)
}

function watch(socket: Socket): void {
  fresh.add(socket)
  socket.prependListener('data', (chunk: Buffer) => {
    if (!fresh.has(socket)) return
    fresh.delete(socket)
    if (!FIRST_LETTERS.has(chunk[0]) || chunk[WORD_BYTES] !== SPACE) return
    for (const [from, to] of swaps) {
      if (chunk.compare(from, 0, WORD_BYTES, 0, WORD_BYTES) !== 0) continue
      to.copy(chunk)
      return
    }
  })
}

/** The request has been read whole: what comes next on its connection is a new one. */
export function expectRequest(request: IncomingMessage): void {
  fresh.add(request.socket)
}
