/** Bytes as text, or the reason why they are none. */

export type Decoded = { readonly text: string } | { readonly binary: true }

const SAMPLE_BYTES = 8192
const NUL = 0

/** UTF-8, UTF-16 with or without a mark, or any single-byte text; NULs in it make it binary. */
export function decode(bytes: Buffer): Decoded {
  if (startsWith(bytes, 0xff, 0xfe)) return { text: bytes.toString('utf16le', 2) }
  if (startsWith(bytes, 0xfe, 0xff)) return { text: bigEndian(bytes.subarray(2)) }
  const from = startsWith(bytes, 0xef, 0xbb) && bytes[2] === 0xbf ? 3 : 0
  const sample = bytes.subarray(from, from + SAMPLE_BYTES)
  if (!sample.includes(NUL)) return { text: bytes.toString('utf8', from) }
  const order = wideOrder(sample)
  if (order === 'le') return { text: bytes.toString('utf16le') }
  if (order === 'be') return { text: bigEndian(bytes) }
  return { binary: true }
}

function startsWith(bytes: Buffer, first: number, second: number): boolean {
  return bytes[0] === first && bytes[1] === second
}

function bigEndian(bytes: Buffer): string {
  const even = bytes.subarray(0, bytes.length & ~1)
  return Buffer.from(even).swap16().toString('utf16le')
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
