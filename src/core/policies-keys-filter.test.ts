import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { parseKeysFilter } from './policies-keys-filter.ts'

test('parseKeysFilter() refuses what it does not know', () => {
  const rows = [
    '{{ .Key }}',
    '{{ .key',
    'a }} b',
    '{{ .key | upper }}',
    '{{ .key | replace "a" }}',
    '{{ .key | replace a "b" }}',
    '{{ printf "%s" .key }}',
    '{{}}',
    '{{ .key }}{{',
  ]
  for (const text of rows) equal(parseKeysFilter(text), undefined, text)
})

test('parseKeysFilter() gives the path that stands for a name', () => {
  const rows = [
    ['{{ .path }}{{ .key }}', 's/metadata/a/k'],
    ['{{.path}}{{.key}}', 's/metadata/a/k'],
    ['s/data/{{ .key }}', 's/data/k'],
    ['{{ .path | replace "/metadata/" "/data/" }}{{ .key }}', 's/data/a/k'],
    ['{{- .path | replace `s` "t" | replace "t/" "" -}}{{ .key }}', 'metadata/a/k'],
    ['{{ .key | replace "" "x" }}', 'k'],
    ['{{ .key | replace "k" "$&" }}', '$&'],
    [String.raw`{{ .key | replace "k" "\"q\"" }}`, '"q"'],
    ['fixed', 'fixed'],
  ] as const
  for (const [text, path] of rows) equal(parseKeysFilter(text)?.('s/metadata/a/', 'k'), path, text)
})
