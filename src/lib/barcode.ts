/** The QR code of a text as a picture that apps can scan. */
import { squarePng } from './png.ts'

/** Light modules around the code (ISO/IEC 18004 asks for four). */
const BORDER = 4

/**
 * A PNG in base64, `pixels` wide and high; larger when the code does not fit into so few. 0 = no
 * picture, which is an empty text.
 */
export async function barcode(text: string, pixels: number): Promise<string> {
  if (pixels === 0) return ''
  // Only who enrols a second factor pays for loading it.
  const { encodeQR } = await import('qr')
  const modules = encodeQR(text, 'raw', { border: BORDER, ecc: 'medium' })
  const scale = Math.max(Math.floor(pixels / modules.length), 1)
  const size = Math.max(pixels, modules.length)
  const offset = Math.floor((size - modules.length * scale) / 2)
  const at = (pixel: number) => Math.floor((pixel - offset) / scale)
  return squarePng(size, (x, y) => modules[at(y)]?.[at(x)] === true).toString('base64')
}
