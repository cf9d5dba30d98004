import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { typedName } from './typed-name.ts'

test('typedName() makes one of all spellings that a directory takes for one', () => {
  const spellings = [
    'jo doe',
    ' jo doe ',
    'jo  doe',
    'jo\tdoe',
    'jo\u00a0doe',
    'ｊｏ doe',
    'jo\ndoe',
  ]
  for (const spelling of spellings) equal(typedName(spelling), 'jo doe', JSON.stringify(spelling))
  equal(typedName('A\u030angstrom'), typedName('\u00c5ngstrom'))
})

test('typedName() is nothing for what is invisible, empty or endless', () => {
  const none = [
    '',
    ' ',
    '\t',
    'jo\0',
    'jo\u200b',
    'jo\u00ad',
    '\u202ejo',
    'jo\x7f',
    'x'.repeat(257),
  ]
  for (const text of none) equal(typedName(text), undefined, JSON.stringify(text))
})
