/** Bytes as text, or the reason why they are none. */

export type Encoding = {
  readonly name: 'utf8' | 'utf16le'
  /** Big-endian: each pair of bytes the other way round. */
  readonly swapped: boolean
  /** Bytes of the mark at the beginning. */
  readonly skip: number
}

const SAMPLE_BYTES = 8192
const NUL = 0

/** UTF-8, UTF-16 with or without a mark, or any single-byte text; NULs in it make it binary. */
export function encodingOf(bytes: Buffer): Encoding | undefined {
  if (startsWith(bytes, 0xff, 0xfe)) return { name: 'utf16le', swapped: false, skip: 2 }
  if (startsWith(bytes, 0xfe, 0xff)) return { name: 'utf16le', swapped: true, skip: 2 }
  const skip = startsWith(bytes, 0xef, 0xbb) && bytes[2] === 0xbf ? 3 : 0
  const sample = bytes.subarray(skip, skip + SAMPLE_BYTES)
  if (!sample.includes(NUL)) return { name: 'utf8', swapped: false, skip }
  const order = wideOrder(sample)
  return order && { name: 'utf16le', swapped: order === 'be', skip: 0 }
}

/** Undefined: binary. */
export function decode(bytes: Buffer): string | undefined {
  const encoding = encodingOf(bytes)
  if (encoding === undefined) return undefined
  const { name, swapped, skip } = encoding
  if (!swapped) return bytes.toString(name, skip)
  const even = bytes.subarray(skip, bytes.length - ((bytes.length - skip) & 1))
  return Buffer.from(even).swap16().toString(name)
}

function startsWith(bytes: Buffer, first: number, second: number): boolean {
  return bytes[0] === first && bytes[1] === second
}

/** Western text in UTF-16 has a NUL in nearly every other byte, and in no other. */
function wideOrder(sample: Buffer): 'le' | 'be' | undefined {
  const nuls = [0, 0]
  for (let i = 0; i < sample.length; i++) if (sample[i] === NUL) nuls[i & 1]!++
  const half = sample.length / 2
  const [even = 0, odd = 0] = nuls
  if (odd > half * 0.7 && even < half * 0.05) return 'le'
  if (even > half * 0.7 && odd < half * 0.05) return 'be'
  return undefined
}
