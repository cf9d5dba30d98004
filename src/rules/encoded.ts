/**
 * Text inside base 64. A few words, as they look in base 64 at each of the three places a byte can
 * have, are keywords like any other; the run of base 64 around one is decoded and read as a text of
 * its own. So nothing is decoded that gives no reason to.
 */

/** How far a run is followed each way. Longer ones are files, which scanners unpack as such. */
const RUN_MAX = 24 * 1024
const RUN_MIN = 16
const LINE_MIN = 40

/** `text` is what is in it, or undefined when that is no text. */
export type EncodedRun = {
  readonly start: number
  readonly end: number
  readonly text: string | undefined
}

/** The run of base 64 around `at`. */
export function encodedRun(text: string, at: number): EncodedRun {
  let start = at
  const least = Math.max(0, at - RUN_MAX)
  while (start > least && continues(text, start - 1, -1)) start--
  let end = at
  const most = Math.min(text.length, at + RUN_MAX)
  while (end < most && continues(text, end, 1)) end++
  // A line break at either end belongs to what is around.
  while (start < end && text.charCodeAt(start) <= 32) start++
  while (end > start && text.charCodeAt(end - 1) <= 32) end--
  if (end - start < RUN_MIN) return { start, end, text: undefined }
  const decoded = Buffer.from(text.slice(start, end), 'base64').toString('latin1')
  return { start, end, text: isText(decoded) ? decoded : undefined }
}

/** A letter of base 64, or a line break between two full lines of it. */
function continues(text: string, at: number, step: 1 | -1): boolean {
  if (isBase64(text.charCodeAt(at))) return true
  if (text.charCodeAt(at) !== 10) return false
  // A full line ends here: forty letters at least, and more on the other side.
  if (!isBase64(text.charCodeAt(at + step)) || !isBase64(text.charCodeAt(at + 1))) return false
  for (let k = 1; k <= LINE_MIN; k++) if (!isBase64(text.charCodeAt(at - k))) return false
  return true
}

function isBase64(c: number): boolean {
  return (
    (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 47 && c <= 57) || c === 43 || c === 61
  )
}

/** Nearly all of it printable: what is decoded from the wrong place, or was no text, is not. */
function isText(decoded: string): boolean {
  let odd = 0
  for (let i = 0; i < decoded.length; i++) {
    const c = decoded.charCodeAt(i)
    if (c > 126 || (c < 32 && c !== 10 && c !== 13 && c !== 9)) odd++
  }
  return odd * 20 <= decoded.length
}
