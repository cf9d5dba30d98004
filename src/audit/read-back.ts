/** Reads a log from its end: the newest lines come first, in blocks of whole ones. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

const BLOCK = 1_048_576
const NEWLINE = 0x0a

/** At most so many bytes of it; nothing where there is no file that could be read back. */
export async function* newestFirst(path: string, bytesMax: number): AsyncGenerator<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const stat = await file.stat()
  if (!stat.isFile()) return
  const start = Math.max(0, stat.size - bytesMax)
  /** The end of a line whose beginning is still to come. */
  let rest: Buffer = Buffer.alloc(0)
  for (let end = stat.size; end > start;) {
    const from = Math.max(start, end - BLOCK)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - from), 0, end - from, from)
    // It has become shorter meanwhile: it is another file now.
    if (bytesRead < buffer.length) return
    const bytes = Buffer.concat([buffer, rest])
    const cut = from === 0 ? 0 : bytes.indexOf(NEWLINE) + 1
    end = from
    if (from > 0 && cut === 0) {
      rest = bytes
      continue
    }
    rest = bytes.subarray(0, cut)
    yield bytes.subarray(cut)
  }
}
