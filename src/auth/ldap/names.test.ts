import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  commonNameIn,
  escapeDn,
  escapeFilter,
  isTemplate,
  keyOfName,
  renderFilter,
  sidText,
} from './names.ts'

test('keyOfName() keeps the case where it counts', () => {
  equal(keyOfName('Jo Doe', false), 'jo doe')
  equal(keyOfName('Jo Doe', true), 'Jo Doe')
})

test('escapeFilter() leaves nothing that a filter could be ended with (RFC 4515)', () => {
  equal(escapeFilter('Parens R Us (for all your parenthetical needs)').includes('('), false)
  equal(escapeFilter('a*b(c)d\\e\0f'), String.raw`a\2ab\28c\29d\5ce\00f`)
  equal(escapeFilter('Lučić'), 'Lučić')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const back = escapeFilter(text).replaceAll(/\\([\da-f]{2})/g, (_, hex: string) =>
        String.fromCharCode(parseInt(hex, 16)),
      )
      equal(back, text)
    }),
  )
})

test('escapeDn() escapes what RFC 4514 asks for, and commonNameIn() reads it back', () => {
  equal(escapeDn('James "Jim" Smith, III'), String.raw`James \"Jim\" Smith\, III`)
  equal(escapeDn('#hash '), String.raw`\#hash\ `)
  equal(escapeDn(' x=y+z;<>\\'), String.raw`\ x\=y\+z\;\<\>\\`)
  equal(escapeDn('nul\0'), String.raw`nul\00`)
  const name = fc.string({ minLength: 1 }).filter((text) => text.trim() === text && text !== '')
  fc.assert(
    fc.property(name, (text) => {
      equal(commonNameIn(`cn=${escapeDn(text)},dc=example`), text)
    }),
  )
})

test('commonNameIn() takes the first common name, and the text where there is none', () => {
  const rows: [string, string][] = [
    ['cn=eng,ou=groups,dc=example', 'eng'],
    ['OU=x,CN=Domain Admins,DC=example', 'Domain Admins'],
    [String.raw`cn=M\C3\BCller\2C Inc,dc=example`, 'Müller, Inc'],
    ['ou=groups,dc=example', 'ou=groups,dc=example'],
    ['plain group', 'plain group'],
    ['', ''],
    ['eng,ops', 'eng,ops'],
  ]
  for (const [text, expected] of rows) equal(commonNameIn(text), expected, text)
  equal(commonNameIn('cn=eng,dc=example', true), 'cn=eng,dc=example')
  equal(commonNameIn('CN=eng,dc=example', true), 'eng')
})

test('a template has the places it may have, and no others', () => {
  const allowed = ['UserDN', 'Username']
  const good = ['', '(uid={{.Username}})', '(|(a={{ .UserDN }})(b={{.Username}}))']
  for (const text of good) equal(isTemplate(text, allowed), true, text)
  const bad = ['{{.UserAttr}}', '{{Username}}', '{{.Username', '{{.Username | js}}', '{{}}', '}}']
  for (const text of bad) equal(isTemplate(text, allowed), false, text)
  equal(
    renderFilter('(&(uid={{.Username}})(x={{ .Username }}))', { Username: '$&{{.UserDN}}' }),
    '(&(uid=$&{{.UserDN}})(x=$&{{.UserDN}}))',
  )
})

test('sidText() reads security identifiers, whole ones only', () => {
  const sid = Buffer.from('01050000000000051500000015cd5b0700e1f5054b1c0000f4010000', 'hex')
  equal(sidText(sid), 'S-1-5-21-123456789-100000000-7243-500')
  deepEqual([sidText(sid.subarray(0, 27)), sidText(Buffer.alloc(0))], [undefined, undefined])
})
