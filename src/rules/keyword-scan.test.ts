import { deepEqual, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileKeywords } from './keyword-scan.ts'

function hitsOf(words: readonly string[], text: string): string[] {
  const hits: string[] = []
  compileKeywords(words)(text, (word, end) => hits.push(`${end} ${words[word]}`))
  return hits.sort()
}

/** The same, the slow way: by the low byte of each unit, in lower case. */
function expected(words: readonly string[], text: string): string[] {
  const bytes = Buffer.from(text, 'latin1').toString('latin1')
  const low = bytes.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
  const hits: string[] = []
  for (const word of words) {
    for (let at = low.indexOf(word); at >= 0; at = low.indexOf(word, at + 1))
      hits.push(`${at + word.length} ${word}`)
  }
  return hits.sort()
}

test('compileKeywords() finds what a search for each keyword finds', () => {
  const letter = fc.constantFrom('a', 'b', 'c', 'A', 'B', 'C', '_', 'é', '🔑')
  const text = fc.array(letter, { maxLength: 400 }).map((letters) => letters.join(''))
  const words = fc.uniqueArray(fc.stringMatching(/^[abc_]{1,5}$/), { minLength: 1, maxLength: 12 })
  fc.assert(fc.property(words, text, (w, t) => deepEqual(hitsOf(w, t), expected(w, t))))
})

test('compileKeywords() loses nothing where one piece of a long text ends', () => {
  const words = ['needle', 'le', 'edle-']
  for (const at of [16_380, 16_384, 32_766, 49_148, 49_152, 49_157, 98_304]) {
    const text = `${'.'.repeat(at)}needle-${'.'.repeat(60_000)}`
    deepEqual(hitsOf(words, text), expected(words, text), String(at))
  }
})

test('compileKeywords() can be asked for nothing, and refuses capitals', () => {
  deepEqual(hitsOf([], 'anything'), [])
  throws(() => compileKeywords(['Key']), /lower case/)
})
