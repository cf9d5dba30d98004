import { equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PURE } from './functions.ts'
import { parseTemplate } from './parse.ts'
import { type Functions, renderTemplate } from './render.ts'
import { TemplateError } from './tokens.ts'
import { type Value } from './value.ts'

const DATA: Value = {
  Data: {
    data: {
      user: 'ana',
      password: 'p "w"',
      port: 5432,
      hosts: ['a', 'b'],
      none: null,
      'x-y': 1,
      on: true,
    },
    metadata: { version: 3 },
  },
}
const functions: Functions = { ...PURE, secret: () => DATA, env: (name) => `env-${name as string}` }

function render(source: string, options: { strict?: boolean; left?: string; right?: string } = {}) {
  const { strict = false, left = '{{', right = '}}' } = options
  const names = new Set(Object.keys(functions))
  const parsed = parseTemplate(source, { delimiters: { left, right }, functions: names })
  return renderTemplate(parsed, { functions, errorOnMissingKey: strict })
}

// oxfmt-ignore
const CASES: [source: string, want: string][] = [
  ['plain } text {', 'plain } text {'],
  ['{{ with secret "secret/data/app" }}{{ .Data.data.user }}:{{ .Data.data.port }}{{ end }}', 'ana:5432'],
  ['{{ with $s := secret "x" }}{{ $s.Data.data.user }}{{ end }}', 'ana'],
  ['{{ $p := (secret "x").Data.data.port }}{{ $p }}', '5432'],
  ['{{ (secret "x").Data.metadata.version }}', '3'],
  ['{{ range $k, $v := (secret "x").Data.data }}{{ $k }}={{ $v }};{{ end }}', 'hosts=[a b];none=<no value>;on=true;password=p "w";port=5432;user=ana;x-y=1;'],
  ['{{ range (secret "x").Data.data.hosts }}<{{ . }}>{{ end }}', '<a><b>'],
  ['{{ range $i, $h := (secret "x").Data.data.hosts }}{{ if $i }},{{ end }}{{ $h }}{{ end }}', 'a,b'],
  ['{{ range split "," "" }}x{{ else }}none{{ end }}', 'none'],
  ['{{ range loop 1 6 }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ if gt . 4 }}{{ break }}{{ end }}{{ . }}{{ end }}', '134'],
  ['{{ if false }}a{{ else if eq 1 2 }}b{{ else }}c{{ end }}', 'c'],
  ['{{ if and true "" }}a{{ else if or 0 "x" }}b{{ end }}', 'b'],
  ['{{ with "" }}a{{ else }}b{{ end }}', 'b'],
  ['a {{- " b " -}} c', 'a b c'],
  ['a\n{{- /* said */ -}}\n  b{{/* x }} y */}}c', 'abc'],
  ['{{ "x" | printf "%s-%s" "y" }}', 'y-x'],
  ['{{ printf "%05d|%-4s|%q|%.2f|%x|%v|%t|%%" 42 "ab" "q\\"" 1.5 "hi" 7 true }}', '00042|ab  |"q\\""|1.50|6869|7|true|%'],
  ['{{ index (secret "x").Data.data "x-y" }} {{ index (secret "x").Data.data.hosts 1 }}', '1 b'],
  ['{{ (secret "x").Data.data.nope }}', '<no value>'],
  ['{{ (secret "x").Data.data.nope | default "d" }} {{ "" | default "e" }} {{ "v" | default "e" }}', 'd e v'],
  ['{{ (secret "x").Data.data | toJSON }}', '{"hosts":["a","b"],"none":null,"on":true,"password":"p \\"w\\"","port":5432,"user":"ana","x-y":1}'],
  ['{{ "<a&b>" | toJSON }}{{ "<" | toUnescapedJSON }}', '"\\u003ca\\u0026b\\u003e""<"'],
  ['{{ with parseJSON "{\\"a\\":[1,{\\"b\\":9007199254740993}]}" }}{{ (index .a 1).b }}{{ end }}', '9007199254740993'],
  ['{{ base64Encode "hé" }} {{ "aMOp" | base64Decode }} {{ "a>?" | base64URLEncode }}', 'aMOp hé YT4_'],
  ['{{ "aB c" | toUpper }}{{ "AB" | toLower }}{{ toTitle "a bc" }}', 'AB CabA Bc'],
  ['[{{ "  x\\n" | trimSpace }}{{ trim "-" "--a-" }}{{ "v1" | trimPrefix "v" }}{{ "a.b" | trimSuffix ".b" }}]', '[xa1a]'],
  ['{{ join "+" (split "," "a,b,c") }}', 'a+b+c'],
  ['{{ "a\\nb" | indent 2 }}', '  a\n  b'],
  ['{{ "a.b.c" | replaceAll "." "$&" }} {{ "abc1" | regexReplaceAll "([a-z]+)" "<$1>" }} {{ regexMatch "^a" "abc" }}', 'a$&b$&c <abc>1 true'],
  ['{{ env "HOME" }}', 'env-HOME'],
  ['{{ add 2 3 }} {{ subtract 2 10 }} {{ divide 2 7 }} {{ modulo 3 10 }} {{ len "abc" }}', '5 8 3 1 3'],
  ['{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}', '32'],
  ['{{ define "t" }}<{{ .a }}>{{ end }}{{ template "t" parseJSON "{\\"a\\":1}" }}', '<1>'],
  ['{{ slice "abcd" 1 3 }}{{ contains "a" (split "," "a,b") }}{{ "é" | len }}', 'bctrue2'],
  ['{{ `raw \\n {{` }}', 'raw \\n {{'],
  ['{{ sha256Hex "a" | len }}{{ not true }}{{ ne "a" "b" }}{{ le 1 1 }}', '64falsetruetrue'],
  ['{{ "\\u00e9\\x41\\t" }}', 'éA\t'],
  ['{{ if (secret "x").Data.data.on }}on{{ end }}', 'on'],
]
for (const [source, want] of CASES) {
  test(`renderTemplate() renders ${JSON.stringify(source)}`, () => equal(render(source), want))
}

// oxfmt-ignore
const WRONG: [source: string, line: number, problem: RegExp][] = [
  ['{{ if true }}', 1, /expected an end for if/],
  ['\n\n{{ end }}', 3, /closes nothing/],
  ['{{ nosuch "hunter2" }}', 1, /there is no function "nosuch"/],
  ['a\n{{ "hunter2', 2, /expected/],
  ['{{ (secret "x" }}', 1, /expected \)/],
  ['{{ break }}', 1, /outside of a range/],
  ['{{ $x }}', 1, /there is no variable \$x/],
  ['{{ base64Decode "hunter2!" }}', 1, /base64Decode: the text is not base64/],
  ['\n{{ parseJSON "hunter2" }}', 2, /parseJSON: the text is not JSON/],
  ['{{ eq 1 "hunter2" }}', 1, /expected two numbers or two texts/],
  ['{{ index (split "," "hunter2") 3 }}', 1, /there is no index 3/],
  ['{{ (secret "x").Data.nope.deeper }}', 1, /nothing to take the field "deeper" of/],
  ['{{ "hunter2" "x" }}', 1, /cannot be called/],
  ['{{ template "no" }}', 1, /there is no template/],
  ['{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}', 1, /too deep/],
  ['{{ printf "%d" "hunter2" }}', 1, /does not fit/],
  ['{{ divide 0 1 }}', 1, /no such number/],
  ['{{ if true }}'.repeat(200), 1, /nested too deep/],
  ['{{ }}x{{ | }}', 1, /expected a value/],
]
for (const [source, line, problem] of WRONG) {
  test(`a wrong template is refused with its line and no value: ${JSON.stringify(source.slice(0, 60))}`, () => {
    throws(
      () => render(source),
      (error: unknown) => {
        equal(error instanceof TemplateError && error.line, line)
        equal(problem.test((error as Error).message), true, (error as Error).message)
        equal((error as Error).message.includes('hunter2'), false)
        return true
      },
    )
  })
}

test('error_on_missing_key makes a missing key an error', () => {
  throws(
    () => render('{{ (secret "x").Data.data.nope }}', { strict: true }),
    /there is no key "nope"/,
  )
})

test('other delimiters leave the usual ones in the text', () => {
  equal(render('{{ x }} [[ "a" ]]', { left: '[[', right: ']]' }), '{{ x }} a')
})

test('a template is rendered or refused, whatever the text', () => {
  const piece = fc.constantFrom(
    ...[
      '{{',
      '}}',
      '{{-',
      '-}}',
      ' ',
      'if',
      'end',
      'else',
      'range',
      '.a',
      '$x',
      ':=',
      '|',
      '(',
      ')',
      '"s"',
    ],
    ...[
      '1',
      'toJSON',
      'with',
      '\n',
      '`',
      '"',
      '/*',
      '*/',
      'secret',
      ',',
      'define',
      'template',
      '.',
    ],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      try {
        render(pieces.join(''))
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error
      }
    }),
    { numRuns: 5_000 },
  )
})
