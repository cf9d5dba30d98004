/** Archives for tests, made here byte by byte so that they can be wrong in one place. */
import { crc32, deflateRawSync } from 'node:zlib'

type ZipEntry = {
  readonly name: string
  readonly bytes: Buffer | string
  readonly stored?: true
  readonly encrypted?: true
  /** Says that its sizes and its place are in a zip64 field, which is there or not. */
  readonly zip64?: 'whole' | 'missing'
}

export function zip(entries: readonly ZipEntry[]): Buffer {
  const [locals, directory]: [Buffer[], Buffer[]] = [[], []]
  let offset = 0
  for (const { name, bytes, stored, encrypted, zip64 } of entries) {
    const raw = Buffer.from(bytes)
    const packed = stored ? raw : deflateRawSync(raw)
    const title = Buffer.from(name)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(encrypted ? 1 : 0, 2)
    common.writeUInt16LE(stored ? 0 : 8, 4)
    common.writeUInt32LE(crc32(raw), 10)
    common.writeUInt32LE(zip64 ? SEE_ZIP64 : packed.length, 14)
    common.writeUInt32LE(zip64 ? SEE_ZIP64 : raw.length, 18)
    common.writeUInt16LE(title.length, 22)
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, title, packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(zip64 ? SEE_ZIP64 : offset, 10)
    // Another field before it, as archives have for the time.
    const field = fieldOf(1, longs(raw.length, packed.length, offset))
    const more = zip64 === 'whole' ? Buffer.concat([fieldOf(0x5455, Buffer.alloc(5)), field]) : ''
    common.writeUInt16LE(more.length, 24)
    directory.push(
      Buffer.concat([
        ...[Buffer.from('PK\u0001\u0002\u0014\u0000'), common, tail, title],
        Buffer.from(more),
      ]),
    )
    locals.push(local)
    offset += local.length
  }
  const size = Buffer.concat(directory).length
  if (entries.some(({ zip64 }) => zip64 === 'whole')) {
    const versions = Buffer.from([45, 0, 45, 0, ...Array.from({ length: 8 }, () => 0)])
    const about = longs(entries.length, entries.length, size, offset)
    const end64 = Buffer.concat([Buffer.from('PK\u0006\u0006'), longs(44), versions, about])
    const locator = [Buffer.from('PK\u0006\u0007'), Buffer.alloc(4), longs(offset + size)]
    directory.push(end64, ...locator, Buffer.from([1, 0, 0, 0]))
    const end = Buffer.concat([Buffer.alloc(4), Buffer.alloc(12, 0xff), Buffer.alloc(2)])
    return Buffer.concat([...locals, ...directory, Buffer.from('PK\u0005\u0006'), end])
  }
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(size, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, ...directory, Buffer.from('PK\u0005\u0006'), end])
}

const SEE_ZIP64 = 0xffff_ffff

function longs(...values: number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length)
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * i)
  return bytes
}

function fieldOf(id: number, content: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16LE(id, 0)
  head.writeUInt16LE(content.length, 2)
  return Buffer.concat([head, content])
}

export function tar(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const parts: Buffer[] = []
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content)
    const long = Buffer.byteLength(name) > 100
    if (long) parts.push(tarHead('././@LongLink', name.length + 1, 'L'), padded(Buffer.from(name)))
    parts.push(tarHead(name.slice(0, 100), bytes.length, '0'), padded(bytes))
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

function tarHead(name: string, size: number, kind: string): Buffer {
  const head = Buffer.alloc(512)
  head.write(name, 0)
  head.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  head.write(kind, 156)
  head.write('ustar\0', 257)
  return head
}

const padded = (bytes: Buffer) =>
  Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
