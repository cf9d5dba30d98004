/**
 * What a value tells about itself: whether it stands for a secret that is not there, and whether it
 * is as random as secrets are. Every test is about the value alone, never about the file it stands in,
 * and every test on words asks how much of the value they are: a long random value holds short words
 * by chance.
 */
import { readability } from './letter-pairs.ts'

/**
 * What templates, shells and vaults write where the secret comes later, or came and was sealed:
 * `${TOKEN}`, `{{ token }}`, `<token>`, `%(token)s`, `$(cat token)`, `ENC[…]`, `vault:…`.
 */
const TEMPLATE =
  /\$\{|\{\{|\$\(|#\{|%\(|<%|\[\[|@@|^<.{1,80}>$|^<[a-z]|^%[\w-]+%$|^\$\w+$|^\{.{0,80}\}$|^ENC[[(]|^\{cipher\}|^vault:|^op:\/\/|^arn:|^\$ANSIBLE_VAULT/i

/**
 * Words that say the value is none. At least five letters each, so that a random value has one by
 * chance less than once in a million times.
 */
const WORDS =
  /example|placeholder|change[_-]?me|change[_-]?this|changeit|replace[_-]?(?:me|with)|replaceme|insert[_-]|dummy|redacted|removed|your[_-]|yourkey|yourtoken|yourapi|yoursecret|todo[_-]|[_-]here$|goes[_-]?here|notreal|not[_-]a[_-]|[_-]?fake[_-]|foobar|xxxxx|\*\*\*|\.\.\.|insecure|deadbeef|lorem|asdfasdf|qwerty/i

/** Whether this is written where a secret should be. */
export function isPlaceholder(value: string): boolean {
  return isMasked(value) || TEMPLATE.test(value) || WORDS.test(value)
}

/** `xxxxxxxx`, `********`, `0000-0000`, `abababab`: one short thing again and again. */
export function isMasked(value: string): boolean {
  if (value.length < 6) return value.length === 0
  if (longestRun(value) * 2 > value.length) return true
  return isPeriodic(value)
}

function longestRun(value: string): number {
  let longest = 1
  let run = 1
  for (let i = 1; i < value.length; i++) {
    run = value.charCodeAt(i) === value.charCodeAt(i - 1) ? run + 1 : 1
    if (run > longest) longest = run
  }
  return longest
}

/** Whether the value repeats its first one to eight characters at least three times. */
function isPeriodic(value: string): boolean {
  for (let period = 1; period <= 8 && period * 3 <= value.length; period++) {
    let i = period
    while (i < value.length && value.charCodeAt(i) === value.charCodeAt(i - period)) i++
    if (i === value.length) return true
  }
  return false
}

/** `0123456789`, `abcdefgh`, `ABCD1234`: neighbours of the alphabet, for three quarters of it. */
export function isSequence(value: string): boolean {
  let steps = 0
  for (let i = 1; i < value.length; i++) {
    const step = (value.charCodeAt(i) | 32) - (value.charCodeAt(i - 1) | 32)
    if (step === 1 || step === 0) steps++
  }
  return steps * 4 >= (value.length - 1) * 3
}

/** `lsdkfol23j`: a hand that lay on the middle row of the keyboard and moved its fingers. */
export function isMashed(value: string): boolean {
  const letters = value.replaceAll(/\d/g, '')
  // Hexadecimal has three letters of that row, and no other.
  if (!/^[a-z]{5,20}$/.test(letters) || !/[ghjkls]/.test(letters)) return false
  const home = letters.replaceAll(/[^asdfghjkl]/g, '').length
  return letters.length < 7 ? home === letters.length : home * 4 >= letters.length * 3
}

/** `utf-16le`, `sha256`, `aes-256-gcm`: names that have numbers in them. */
export const isAlgorithm = (value: string): boolean => ALGORITHMS.test(value)
const ALGORITHMS =
  /^(?:latin|iso|utf|base|sha|md|aes|rsa|[hrep]s|oauth|pkcs|argon|bcrypt|scrypt|pbkdf|x|ed|curve|secp|prime|windows|win|u?int|float|rfc)[-_]?\d+[-_]?(?:[a-z]{1,8}\d?|\d{1,4})?(?:[-_][a-z0-9]{1,10}){0,2}$/i

/**
 * Whether a value may be a provider's: no placeholder, and not read like words. For values that a
 * name and a form have pointed to already.
 */
export function looksRandom(value: string): boolean {
  if (isPlaceholder(value) || distinct(value) < Math.min(6, value.length / 2)) return false
  const words = readability(value)
  if (/\d/.test(value)) return words < value.length
  return value.length >= 12 && words < 0
}

export function distinct(value: string): number {
  return new Set(value).size
}

/** Shannon's entropy, bits for each character. */
export function entropy(value: string): number {
  const counts = new Map<string, number>()
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values())
    bits -= (count / value.length) * Math.log2(count / value.length)
  return bits
}
