/**
 * Samples of secrets as recipes. A recipe says what a token looks like without being one, so that
 * the rules' own files hold nothing that a scanner has to report, and is written by hand, beside the
 * pattern and not derived from it.
 *
 *   {B36}   36 letters and digits        {h32} hex digits       {H32} the same in upper case
 *   {b43}   base64url                    {s40} base64           {l24} lower case and digits
 *   {U20}   upper case and digits        {d12} digits           {t32} base 32: A-Z and 2-7
 *   {a12} lower case  {A12} letters       {q58} bech32 in upper case   {r32} base 32, lower case
 *   {u}     a UUID                       {crc} checksum of the 30 characters before, base 62
 *   {jwt}   a JSON Web Token
 *   {coffer} secret and checksum of a token of ours, behind its accessor
 */
import { createHash } from 'node:crypto'
import { base62Of } from './checksum.ts'
import { crc32 } from 'node:zlib'

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const LOWER = UPPER.toLowerCase()
const DIGITS = '0123456789'
const ALPHABETS: Readonly<Record<string, string>> = {
  B: UPPER + LOWER + DIGITS,
  b: `${UPPER}${LOWER}${DIGITS}_-`,
  s: `${UPPER}${LOWER}${DIGITS}+/`,
  h: `${DIGITS}abcdef`,
  H: `${DIGITS}ABCDEF`,
  l: LOWER + DIGITS,
  U: UPPER + DIGITS,
  d: DIGITS,
  t: `${UPPER}234567`,
  a: LOWER,
  A: UPPER + LOWER,
  r: `${LOWER}234567`,
  q: 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L',
}

/** The text a recipe stands for; the same for the same recipe and seed. */
export function expandSample(recipe: string, seed = 'sample'): string {
  const next = stream(`${seed}/${recipe}`)
  let text = ''
  let done = 0
  for (const part of recipe.matchAll(/\{(?:([A-Za-z])(\d+)|(u|crc|coffer|jwt))\}/g)) {
    const [whole, kind, count, special] = part
    text += recipe.slice(done, part.index)
    done = part.index + whole.length
    if (special === 'u') text += uuid(next)
    else if (special === 'crc') text += base62Of(crc32(text.slice(-30)))
    else if (special === 'jwt') text += jwt(next)
    else if (special === 'coffer') text += cofferTail(text.slice(-24), next)
    else text += draw(kind!, Number(count), next)
  }
  text += recipe.slice(done)
  return text
}

function draw(kind: string, count: number, next: () => number): string {
  const alphabet = ALPHABETS[kind]
  if (alphabet === undefined) throw new Error(`no alphabet is called {${kind}}`)
  let text = ''
  while (text.length < count) text += alphabet[next() % alphabet.length]
  return text
}

/** What follows the accessor in a token of ours. */
function cofferTail(accessor: string, next: () => number): string {
  const secret = Uint8Array.from({ length: 48 }, next)
  const tail = Buffer.alloc(4)
  tail.writeUInt32BE(crc32(Buffer.concat([Buffer.from(accessor), secret])))
  return Buffer.concat([secret, tail]).toString('base64url')
}

function jwt(next: () => number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return [part({ alg: 'HS256', typ: 'JWT' }), part({ sub: uuid(next) }), draw('b', 43, next)].join(
    '.',
  )
}

function uuid(next: () => number): string {
  const hex = draw('h', 32, next)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-')
}

/** Bytes drawn from a hash of the seed: no clock, no randomness. */
function stream(seed: string): () => number {
  let [block, at, turn] = [Buffer.alloc(0), 0, 0]
  return () => {
    if (at === block.length) {
      block = createHash('sha512').update(`${seed}#${turn++}`).digest()
      at = 0
    }
    return block[at++]!
  }
}
