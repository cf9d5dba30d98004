import { equal, match } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { BUILD_DATE, COFFER_VERSION, reportedVaultVersion, VAULT_VERSION } from './version.ts'

test('COFFER_VERSION is the version of the package', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  equal(COFFER_VERSION, version)
})

test('reportedVaultVersion() is the built-in one when the variable is absent or empty', () => {
  equal(reportedVaultVersion({}), VAULT_VERSION)
  equal(reportedVaultVersion({ COFFER_VAULT_VERSION: ' ' }), VAULT_VERSION)
})

test('reportedVaultVersion() follows COFFER_VAULT_VERSION, with or without a v', () => {
  equal(reportedVaultVersion({ COFFER_VAULT_VERSION: 'v1.15.0' }), '1.15.0')
  equal(reportedVaultVersion({ COFFER_VAULT_VERSION: '1.16.3+ent' }), '1.16.3+ent')
})

test('both versions are what clients can parse: semver, and an RFC 3339 date', () => {
  match(VAULT_VERSION, /^\d+\.\d+\.\d+$/)
  equal(new Date(BUILD_DATE).toISOString(), BUILD_DATE.replace('Z', '.000Z'))
})
