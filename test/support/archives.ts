/** Archives for tests, made here byte by byte so that they can be wrong in one place. */
import { crc32, deflateRawSync } from 'node:zlib'

type ZipEntry = {
  readonly name: string
  readonly bytes: Buffer | string
  readonly stored?: true
  readonly encrypted?: true
  /** Says that its sizes are in a zip64 field. */
  readonly zip64?: true
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
    common.writeUInt32LE(zip64 ? 0xffff_ffff : packed.length, 14)
    common.writeUInt32LE(raw.length, 18)
    common.writeUInt16LE(title.length, 22)
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, title, packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), common, tail, title]))
    locals.push(local)
    offset += local.length
  }
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(Buffer.concat(directory).length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, ...directory, Buffer.from('PK\u0005\u0006'), end])
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
