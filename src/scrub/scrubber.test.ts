import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createScrubber } from './scrubber.ts'
import { held } from './held.ts'

const VALUE = `p"ä/ss+w&o'rd<$1>%`
const NAME = 'secret/app/db#password v7'
const LABEL = `[secret ${NAME}]`
const PEM = ['-----BEGIN TEST KEY-----', 'c29tZSBsaW5lIG9mIGEga2V5', 'YW5kIGFub3RoZXIgb25l']
const JSON_VALUE = JSON.stringify({ user: 'shop', password: 'inner-Value-1', n: 5 })

const percent = encodeURIComponent(VALUE)
const base64 = (text: string, shift: number) =>
  Buffer.from('x'.repeat(shift) + text + 'tail'.slice(shift)).toString('base64')

/** How a value may be written, and what of the value the writing holds. */
const FORMS: Record<string, string> = {
  plain: VALUE,
  json: JSON.stringify(VALUE),
  'json in json': JSON.stringify(JSON.stringify(VALUE)),
  'json in ASCII': JSON.stringify(VALUE).replace('ä', String.raw`\u00e4`),
  'json in ASCII, upper case': JSON.stringify(VALUE).replace('ä', String.raw`\u00E4`),
  'json with escaped slashes': JSON.stringify(VALUE).replaceAll('/', String.raw`\/`),
  percent,
  'percent, lower case': percent.replace(/%../g, (escape) => escape.toLowerCase()),
  form: new URLSearchParams({ v: VALUE }).toString(),
  'in a URL': new URL(`http://u:${percent}@h/`).href,
  hex: Buffer.from(VALUE).toString('hex'),
  'hex, upper case': Buffer.from(VALUE).toString('hex').toUpperCase(),
  'base64, alone': Buffer.from(VALUE).toString('base64'),
  'base64, shifted by 1': base64(VALUE, 1),
  'base64, shifted by 2': base64(VALUE, 2),
  'base64url, shifted by 1': Buffer.from(`x${VALUE}`).toString('base64url'),
  html: VALUE.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  'single quotes of a shell': `'${VALUE.replaceAll("'", String.raw`'\''`)}'`,
  'double quotes of a shell': `"${VALUE.replace(/["$`\\]/g, String.raw`\$&`)}"`,
}

for (const [form, text] of Object.entries(FORMS)) {
  test(`scrubber replaces a value in the form: ${form}`, () => {
    const scrubber = createScrubber({ values: [{ value: VALUE, name: NAME }] })
    const clean = scrubber.text(`before ${text} after`)
    match(clean, /^before .*\[secret secret\/app\/db#password v7\].* after$/s)
    // What is left around it is less than any three characters of the value.
    for (let at = 0; at + 4 <= VALUE.length; at++) {
      ok(!clean.includes(VALUE.slice(at, at + 4)), clean)
    }
  })
}

test('scrubber replaces a value in UTF-16 of either order', () => {
  const scrubber = createScrubber({ values: [{ value: VALUE, name: NAME }] })
  const wide = Buffer.from(`a${VALUE}b`, 'utf16le')
  for (const bytes of [wide, Buffer.from(wide).swap16()]) {
    ok(Buffer.from(scrubber.bytes(bytes)).includes(LABEL))
  }
})

test('scrubber replaces the lines of a value, and the texts in a value that is JSON', () => {
  const values = [
    { value: PEM.join('\n'), name: 'k' },
    { value: JSON_VALUE, name: 'j' },
  ]
  const scrubber = createScrubber({ values })
  equal(scrubber.text(`x ${PEM[2]} y`), 'x [secret k] y')
  // The first line is the same in every key.
  equal(scrubber.text(`x ${PEM[0]} y`), `x ${PEM[0]} y`)
  equal(scrubber.text('pw inner-Value-1, user shop'), 'pw [secret j], user shop')
  equal(scrubber.text(`<${PEM.join(String.raw`\n`)}>`), '<[secret k]>')
})

test('scrubber takes the longest of values that begin together, and all of values that overlap', () => {
  const values = [
    { value: 'abcdef-123', name: 'short' },
    { value: 'abcdef-123-XYZ', name: 'long' },
    { value: 'XYZ-overlaps-7', name: 'next' },
  ]
  const scrubber = createScrubber({ values })
  equal(scrubber.text('<abcdef-123-XYZ>'), '<[secret long]>')
  equal(scrubber.text('<abcdef-123-XYZ-overlaps-7>'), '<[secret long]>')
  equal(scrubber.text('<abcdef-123->'), '<[secret short]->')
})

test('scrubber leaves out what is too short or too plain, and counts it', () => {
  const scrubber = createScrubber()
  for (const value of ['', 'abc', 'true', 'postgres', '12345678', 'aaaaaaaaaaaaaaaa', 'Alice']) {
    equal(scrubber.add({ value, name: 'n' }), false, value)
  }
  equal(scrubber.leftOut, 7)
  equal(scrubber.add({ value: 's3cret', name: 'n' }), true)
  equal(scrubber.add({ value: 'correct horse battery', name: 'n' }), true)
  equal(scrubber.text('user postgres is true'), 'user postgres is true')
})

test('scrubber looks for short and plain values too when it is made to, from four bytes on', () => {
  const scrubber = createScrubber()
  for (const value of ['443', ' a ', '']) {
    equal(scrubber.add({ value, name: 'n', force: true }), false, value)
  }
  equal(scrubber.text('port 443'), 'port 443')
  for (const value of ['7777', 'true!', 'postgres']) {
    equal(scrubber.add({ value, name: value.slice(0, 2), force: true }), true, value)
  }
  equal(scrubber.text('7777 true! postgres'), '[secret 77] [secret tr] [secret po]')
  equal(scrubber.text(`hex ${Buffer.from('7777').toString('hex')}`), 'hex [secret 77]')
  // A guard in another thread is given what it needs to do the same.
  const other = createScrubber({ values: scrubber.known() })
  equal(other.text('7777 postgres'), '[secret 77] [secret po]')
})

test('held gives one label for values that overlap, wherever they are cut', () => {
  const values = ['ababa', 'abcab', 'bcabc'].map((value) => ({ value, name: value, force: true }))
  const scrubber = createScrubber({ values })
  const piece = fc.constantFrom('ab', 'aba', 'abab', 'c', 'abcab', '-')
  const size = fc.integer({ min: 1, max: 7 })
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.array(size, { minLength: 1, maxLength: 20 }),
      (pieces, sizes) => {
        const whole = Buffer.from(pieces.join(''))
        const state = held(scrubber, { rules: false })
        const out: Uint8Array[] = []
        for (let at = 0, i = 0; at < whole.length; i++) {
          const end = at + sizes[i % sizes.length]!
          out.push(state.push(whole.subarray(at, end)))
          at = end
        }
        out.push(state.end())
        const text = Buffer.concat(out).toString()
        equal(text, Buffer.from(scrubber.bytes(whole)).toString())
        for (const { value } of values) ok(!text.replaceAll(/\[.*?\]/g, '|').includes(value), text)
      },
    ),
    { numRuns: 1000 },
  )
})

test('scrubber keeps what was current before: values are only added', () => {
  const scrubber = createScrubber({ values: [{ value: 'first-value-1', name: 'db v1' }] })
  scrubber.add({ value: 'second-value-2', name: 'db v2' })
  equal(scrubber.text('first-value-1 second-value-2'), '[secret db v1] [secret db v2]')
})

test('scrubber prints the same tag for the same value, and another under another key', () => {
  const tag = (key: string) => {
    const values = [{ value: 'some-value-1', name: 'n' }]
    const scrubber = createScrubber({ values, show: 'tag', key: Buffer.from(key) })
    const clean = scrubber.text('some-value-1 some-value-1').split(' [')
    equal(`[${clean[1]}`, clean[0])
    match(clean[0]!, /^\[secret [0-9a-f]{12}\]$/)
    return clean[0]
  }
  equal(tag('a'), tag('a'))
  ok(tag('a') !== tag('b'))
})

test('a name cannot write lines, colours or brackets of its own', () => {
  const values = [{ value: 'some-value-1', name: 'a\n\u001B[31m]b' }]
  equal(createScrubber({ values }).text('some-value-1'), '[secret a???31m?b]')
})

test('held gives the same whatever the pieces are, and every split of a value is caught', () => {
  const values = [
    { value: VALUE, name: NAME },
    { value: PEM.join('\n'), name: 'k' },
  ]
  const scrubber = createScrubber({ values })
  for (const [form, text] of Object.entries(FORMS)) {
    const whole = Buffer.from(`before ${text} after\n`)
    const expected = Buffer.from(scrubber.bytes(whole)).toString()
    for (let at = 0; at <= whole.length; at++) {
      const state = held(scrubber, { rules: false })
      const parts = [state.push(whole.subarray(0, at)), state.push(whole.subarray(at)), state.end()]
      equal(Buffer.concat(parts).toString(), expected, `${form}, split at ${at}`)
    }
  }
})

test('held gives the same for random pieces of random texts', () => {
  const words = [VALUE, 'abcabcabd-1', 'abcabcabcabd-2', 'x', ' ', '\n', 'abc']
  const values = [VALUE, 'abcabcabd-1', 'abcabcabcabd-2'].map((value, i) => ({
    value,
    name: `v${i}`,
  }))
  const scrubber = createScrubber({ values })
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...words), { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }),
      (parts, sizes) => {
        const whole = Buffer.from(parts.join(''))
        const state = held(scrubber, { rules: false })
        const out: Uint8Array[] = []
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = sizes[i % sizes.length]!
          out.push(state.push(whole.subarray(at, at + size)))
          at += size
        }
        out.push(state.end())
        equal(Buffer.concat(out).toString(), Buffer.from(scrubber.bytes(whole)).toString())
      },
    ),
  )
})

test('held lets a prompt go, and still cuts the rest of a value that began in it', () => {
  const scrubber = createScrubber({ values: [{ value: 'Pa55word-1234', name: 'n' }] })
  const state = held(scrubber, { rules: false })
  deepEqual(Buffer.from(state.push(Buffer.from('Password P'))).toString(), 'Password ')
  equal(state.waiting, 1)
  equal(Buffer.from(state.letGo()).toString(), 'P')
  equal(Buffer.from(state.push(Buffer.from('a55word-1234!'))).toString(), '[secret n]!')
  // Four characters of a value are no coincidence.
  equal(Buffer.from(state.push(Buffer.from(' Pa55'))).toString(), ' ')
  equal(state.letGo().length, 0)
  equal(Buffer.from(state.end()).toString(), 'Pa55')
})

test('held holds back no more than the longest form it knows', () => {
  const values = [{ value: 'ab'.repeat(50_000) + '-cd-1', name: 'n' }]
  const scrubber = createScrubber({ values })
  const state = held(scrubber, { rules: false })
  let most = 0
  for (let i = 0; i < 2000; i++) {
    state.push(Buffer.from('ab'.repeat(100)))
    most = Math.max(most, state.waiting)
  }
  ok(most <= 4096, String(most))
})
