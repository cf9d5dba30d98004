/** Username templates: what Go's functions make, and what is refused. */
import { equal, match, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '../../lib/random.ts'
import { PLUGIN_NAMES, pluginNamed } from './plugins.ts'
import { TemplateError, usernameTemplate } from './username.ts'

const parts = {
  displayName: 'token-Ann',
  roleName: 'read.only',
  now: Date.UTC(2026, 0, 2, 3, 4, 5),
  random: systemRandom,
}
const made = (template: string) => usernameTemplate(template)(parts)

test('usernameTemplate() refuses what is no such template', () => {
  for (const template of [
    '{{',
    '{{ }}',
    '{{ nothing }}',
    '{{ .Secret }}',
    '{{ if true }}x{{ end }}',
    '{{ random }}',
    '{{ truncate }}',
    '{{ (random 3 }}',
    '{{ random 3) }}',
    '{{ .RoleName | .DisplayName }}',
    '{{ "open }}',
    '{{ constructor }}',
  ]) {
    throws(() => usernameTemplate(template), TemplateError, template)
  }
  for (const template of [
    '{{ random 0 }}',
    '{{ random 100000 }}',
    '{{ printf "%x" 1 }}',
    '{{ printf "%s" }}',
  ])
    throws(() => made(template), TemplateError, template)
})

test('usernameTemplate() knows the functions', () => {
  for (const [template, wanted] of [
    ['plain', 'plain'],
    ['{{.RoleName}}-x', 'read.only-x'],
    ['{{ .DisplayName | truncate 5 }}', 'token'],
    ['{{ truncate 5 .DisplayName }}', 'token'],
    ['{{ .DisplayName | uppercase }}', 'TOKEN-ANN'],
    ['{{ .DisplayName | lowercase }}', 'token-ann'],
    ['{{ .RoleName | replace "." "-" }}', 'read-only'],
    ['{{ .RoleName | replace "." "$&" }}', 'read$&only'],
    ['{{ unix_time }}', '1767323045'],
    ['{{ unix_time_millis }}', '1767323045000'],
    ['{{ timestamp "2006-01-02T15:04:05" }}', '2026-01-02T03:04:05'],
    ['{{ printf "%s_%d%%" .RoleName 7 }}', 'read.only_7%'],
    [
      '{{ printf "v-%s-%s" (.DisplayName | truncate 3) (.RoleName | truncate 4) | uppercase }}',
      'V-TOK-READ',
    ],
    ['{{ "abc" | sha256 }}', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['{{ "abc" | base64 }}', 'YWJj'],
    ['{{ "short" | truncate_sha256 20 }}', 'short'],
    ['{{ `raw\\n` }}', 'raw\\n'],
  ] as const) {
    equal(made(template), wanted, template)
  }
  match(made('{{ random 12 }}'), /^[0-9A-Za-z]{12}$/)
  match(made('{{ uuid }}'), /^[0-9a-f-]{36}$/)
  match(made('{{ "a text that is long" | truncate_sha256 12 }}'), /^a te[0-9a-f]{8}$/)
})

test('the usual names of every plugin can be made', () => {
  for (const name of PLUGIN_NAMES) match(made(pluginNamed(name).usernames), /^[vV][-_]\S+$/)
})

test('a template whose texts grow without end is refused before they have grown', () => {
  const grows = `| replace "a" "${'a'.repeat(50)}" `
  throws(() => made(`{{ "a" ${grows.repeat(8)}}}`), /a text in it grows too long/)
  throws(
    () => made(`{{ "" | replace "" "${'a'.repeat(3_000)}" ${grows.repeat(3)}}}`),
    TemplateError,
  )
})
