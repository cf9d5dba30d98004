import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConfigError } from './errors.ts'
import { parseReference, parseTemplate } from './reference.ts'

const wrong: [text: string, why: RegExp][] = [
  ['vault://', /names no secret/],
  ['vault://secret#f', /names no secret/],
  ['vault://secret/#f', /empty or relative/],
  ['vault:///app#f', /empty or relative/],
  ['vault://secret//app#f', /empty or relative/],
  ['vault://secret/app/#f', /empty or relative/],
  ['vault://secret/../sys#f', /empty or relative/],
  ['vault://secret/%2e%2e/sys#f', /empty or relative/],
  ['vault://secret/a%2fb#f', /empty or relative/],
  ['vault://secret/a%00b#f', /control character/],
  ['vault://secret/app', /names no field/],
  ['vault://secret/app#', /names no field/],
  ['vault://secret/app#/', /names no field/],
  ['vault://secret/app#/a//b', /names no field/],
  ['vault://secret/app#%zz', /does not encode/],
  ['vault://secret/%zz#f', /does not encode/],
  ['vault://secret/app?version=0#f', /version number from 1/],
  ['vault://secret/app?version=-1#f', /version number from 1/],
  ['vault://secret/app?version=1.5#f', /version number from 1/],
  ['vault://secret/app?version=#f', /version number from 1/],
  ['vault://secret/app?version=1#f?version=1', /one parameter only/],
  ['vault://secret/app?stage=current#f', /one parameter only/],
  ['vault://secret/app#f?default=x', /one parameter only/],
  ['ref+vault://secret/app?address=http://x#/f', /one parameter only/],
  ['vault://secret/app#f#g', /field|not of the form/],
  ['http://secret/app#f', /not of the form/],
  ['', /not of the form/],
]

for (const [text, why] of wrong) {
  test(`parseReference() refuses ${JSON.stringify(text)}`, () => {
    throws(
      () => parseReference(text),
      (error) => error instanceof ConfigError && why.test(error.message),
    )
  })
}

type Expected = { mount?: string; path?: string; field?: string[]; version?: number }
const right: [text: string, expected: Expected][] = [
  ['vault://secret/app#f', {}],
  [' vault://secret/app#f\n', {}],
  ['VAULT://secret/app#f', {}],
  ['vault://secret/app#/f', {}],
  ['ref+vault://secret/app#/f', {}],
  ['ref+vault://secret/app#/f+', {}],
  ['vault://secret/database/backend#password', { path: 'database/backend', field: ['password'] }],
  ['vault://secret/app?version=2#f', { version: 2 }],
  ['vault://secret/app#f?version=2', { version: 2 }],
  ['vault://secret/app#/a/b', { field: ['a', 'b'] }],
  ['vault://secret/app#a/b', { field: ['a/b'] }],
  ['vault://secret/app#a.b-c_d', { field: ['a.b-c_d'] }],
  ['vault://secret/a%20b/%C3%BC#f%3F%23', { path: 'a b/ü', field: ['f?#'] }],
  ['vault://kv-2/a@b:c#f+', { mount: 'kv-2', path: 'a@b:c', field: ['f+'] }],
]

for (const [text, expected] of right) {
  test(`parseReference() reads ${JSON.stringify(text)}`, () => {
    const { text: _text, ...rest } = parseReference(text)
    deepEqual(rest, { mount: 'secret', path: 'app', field: ['f'], version: undefined, ...expected })
  })
}

const templates: [text: string, references: string[], encode: boolean][] = [
  ['vault://a/b#c', ['vault://a/b#c'], false],
  ['${vault://a/b#c}', ['vault://a/b#c'], false],
  ['x${ vault://a/b#c}y', ['vault://a/b#c'], false],
  ['${vault://a/b#c}${ref+vault://d/e#f}', ['vault://a/b#c', 'ref+vault://d/e#f'], false],
  ['postgres://u:${vault://a/b#c}@h/db', ['vault://a/b#c'], true],
  ['jdbc:postgresql://h/db?password=${vault://a/b#c}', ['vault://a/b#c'], true],
  ['host=h password=${vault://a/b#c}', ['vault://a/b#c'], false],
]

for (const [text, references, encode] of templates) {
  test(`parseTemplate() splits ${JSON.stringify(text)}`, () => {
    const template = parseTemplate(text)
    ok(template)
    deepEqual(template.references, references)
    equal(template.encode, encode)
    equal(template.literals.length, references.length + 1)
  })
}

test('parseTemplate() finds nothing in a text without references', () => {
  for (const text of ['', 'vault', 'vault:/x', '${x}', 'https://vault/x#y', 'hvault:x']) {
    equal(parseTemplate(text), undefined)
  }
})

test('parseTemplate() refuses a reference that stands bare in a longer text, and tells nothing else', () => {
  const texts = [
    'see vault://a/b#c',
    'a,vault://a/b#c',
    'postgres://u:canary@h/vault://a/b#c',
    'x${vault://a/b#c',
    'canary=1 ${vault://a/b#c} vault://d/e#f canary',
    '$vault://a/b',
    '"vault://a/b#c"canary',
    'xref+VAULT://a/b',
  ]
  for (const text of texts) {
    throws(
      () => parseTemplate(text),
      (error) => error instanceof ConfigError && !error.message.includes('canary'),
      text,
    )
  }
})

test('parseReference() gives back what a reference was built from', () => {
  const name = fc
    .string({ minLength: 1 })
    .filter((s) => !/[\u0000-\u001f\u007f/]|^\.{1,2}$/.test(s))
  fc.assert(
    fc.property(fc.array(name, { minLength: 2, maxLength: 4 }), name, (segments, field) => {
      const path = segments.map(encodeURIComponent).join('/')
      const parsed = parseReference(`vault://${path}#${encodeURIComponent(field)}`)
      deepEqual([parsed.mount, ...parsed.path.split('/')], segments)
      deepEqual(parsed.field, [field])
    }),
  )
})
