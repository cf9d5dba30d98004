import { deepEqual, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { probesOf } from './keyword-probe.ts'
import { automatonOf, type KeywordScan } from './keyword-scan.ts'
import { compileKeywords } from './keywords.ts'

const ways = { automatonOf, probesOf, compileKeywords }

function hitsOf(scan: KeywordScan, words: readonly string[], text: string): string[] {
  const hits: string[] = []
  scan(text, (word, end) => hits.push(`${end} ${words[word]}`))
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

for (const [name, way] of Object.entries(ways)) {
  const shortest = way === probesOf ? 2 : 1
  test(`${name}() finds what a search for each keyword finds`, () => {
    const letter = fc.constantFrom('a', 'b', 'c', 'A', 'B', 'C', '_', 'é', '🔑', '\u0161')
    const text = fc.array(letter, { maxLength: 400 }).map((letters) => letters.join(''))
    const word = fc.stringMatching(new RegExp(`^[abc_]{${shortest},5}$`))
    const words = fc.uniqueArray(word, { minLength: 1, maxLength: 12 })
    fc.assert(fc.property(words, text, (w, t) => deepEqual(hitsOf(way(w), w, t), expected(w, t))))
  })

  test(`${name}() loses nothing where one piece of a long text ends`, () => {
    const words = ['needle', 'le', 'edle-']
    for (const at of [16_380, 16_384, 32_766, 49_148, 49_152, 49_157, 98_304]) {
      const text = `${'.'.repeat(at)}needle-${'.'.repeat(60_000)}`
      deepEqual(hitsOf(way(words), words, text), expected(words, text), String(at))
    }
  })
}

test('compileKeywords() finds the same at first and after much was read', () => {
  const words = ['needle', 'le', 'edle-', 'q~']
  const scan = compileKeywords(words)
  const text = `Needle- q~ ${'.'.repeat(100_000)}nEEdle`
  for (let i = 0; i < 8; i++) deepEqual(hitsOf(scan, words, text), expected(words, text), String(i))
})

test('compileKeywords() can be asked for nothing, and refuses capitals', () => {
  deepEqual(hitsOf(compileKeywords([]), [], 'anything'), [])
  for (const word of ['Key', 'é']) throws(() => compileKeywords([word]), /lower case/)
})
