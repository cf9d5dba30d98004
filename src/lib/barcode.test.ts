import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { crc32, inflateSync } from 'node:zlib'
import decodeQR from 'qr/decode.js'
import { barcode } from './barcode.ts'

/** The pixels of a PNG as barcode() makes it, with every checksum compared. */
function pixels(png: Buffer) {
  const chunks = new Map<string, Buffer>()
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at)
    const body = png.subarray(at + 4, at + 8 + length)
    equal(png.readUInt32BE(at + 8 + length), crc32(body))
    chunks.set(body.toString('latin1', 0, 4), body.subarray(4))
    at += length + 12
  }
  const width = chunks.get('IHDR')!.readUInt32BE(0)
  const height = chunks.get('IHDR')!.readUInt32BE(4)
  const lines = inflateSync(chunks.get('IDAT')!)
  const lineBytes = 1 + Math.ceil(width / 8)
  const data = new Uint8ClampedArray(width * height * 4)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = lines[y * lineBytes + 1 + (x >> 3)]! & (0x80 >> (x & 7))
      data.fill(bit ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 4)
    }
  }
  return { width, height, data }
}

test('barcode() is a picture of the size asked for that reads as the text', async () => {
  const text =
    'otpauth://totp/coffer:d1?algorithm=SHA1&digits=6&issuer=coffer&secret=JBSWY3DPEHPK3PXP'
  for (const size of [200, 333, 500]) {
    const { width, height, data } = pixels(Buffer.from(await barcode(text, size), 'base64'))
    equal(width, size)
    equal(height, size)
    equal(decodeQR({ width, height, data }), text)
  }
})

test('barcode() grows when the code does not fit, and is empty when none is wanted', async () => {
  equal(await barcode('x', 0), '')
  const { width } = pixels(Buffer.from(await barcode('x', 1), 'base64'))
  equal(width, 29)
})
