import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseHcl } from '../lib/hcl.ts'
import { formatHcl } from './hcl-format.ts'

test('formatHcl() refuses what is no HCL', () => {
  for (const text of ['path "a" {', '}', 'path "a" { capabilities = [ }', 'a = "']) {
    throws(() => formatHcl(text), text)
  }
})

test('formatHcl() indents, spaces and aligns', () => {
  const text = `


path "secret/*" {

capabilities=["read","list"]
  min_wrapping_ttl   =   "1s"
      allowed_parameters = {
"a"=[]
    "bcd" = ["x"   ,"y"]
}

}
# the end
path    "sys/#not-a-comment"   {   capabilities = [ "deny" ] } # why




path "b" {
  capabilities = [
"read", // all may
      "list",
  ]
}
`
  equal(
    formatHcl(text),
    `path "secret/*" {
  capabilities       = ["read", "list"]
  min_wrapping_ttl   = "1s"
  allowed_parameters = {
    "a"   = []
    "bcd" = ["x", "y"]
  }
}
# the end
path "sys/#not-a-comment" { capabilities = ["deny"] } # why

path "b" {
  capabilities = [
    "read", // all may
    "list",
  ]
}
`,
  )
})

test('formatHcl() leaves strings, comments and heredocs as they are', () => {
  const text = `a = "x   =  y { \\" }"
/* two   lines
      of { comment */
b = <<EOT
   kept   { as
 it is
EOT
c = 1 // x=y
`
  equal(formatHcl(text), text)
})

test('formatHcl() changes nothing the second time, and never what a file means', () => {
  const name = fc.constantFrom('a', 'bb', 'capabilities', 'x_y')
  const value = fc.constantFrom('1', 'true', '"s"', '"a = { b"', '["x","y"]', '[ ]', '{ k = 1 }')
  const space = fc.constantFrom('', ' ', '   ')
  const line = fc.oneof(
    fc.tuple(name, space, space, value).map(([n, a, b, v]) => `${n}${a}=${b}${v}`),
    fc.tuple(name, value).map(([n, v]) => `path "${n}/*" {\n${n} = ${v}\n\n\n}`),
    fc.constantFrom('', '# note {', '// note', '/* a\n  b */'),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const text = lines.join('\n')
      const once = formatHcl(text)
      equal(formatHcl(once), once)
      const plain = (hcl: string) => JSON.stringify(parseHcl(hcl)).replace(/"line":\d+/g, '')
      deepEqual(plain(once), plain(text))
    }),
  )
})
