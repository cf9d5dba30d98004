import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tellableHeader } from './tellable-header.ts'

const RAW = [
  'X-Vault-Token',
  'hvs.token',
  'Authorization',
  'Bearer hvs.other',
  'authorization',
  'Negotiate abc',
  'X-Request-Name',
  'first',
  'x-request-name',
  'second',
]

test('tellableHeader() tells a header by its name in any case, the first of several', () => {
  assert.equal(tellableHeader(RAW, 'x-request-name', ['X-Request-Name']), 'first')
  assert.equal(tellableHeader(RAW, 'x-absent', ['x-absent']), undefined)
  assert.equal(tellableHeader(['Accept', 'text/html'], 'accept'), 'text/html')
})

test('tellableHeader() tells nothing that the mount was not tuned to pass on', () => {
  assert.equal(tellableHeader(RAW, 'x-request-name'), undefined)
  assert.equal(tellableHeader(RAW, 'x-request-name', ['x-request']), undefined)
})

test('tellableHeader() never tells a token', () => {
  assert.equal(tellableHeader(RAW, 'x-vault-token'), undefined)
  assert.equal(tellableHeader(['X-Vault-MFA', 'app:123456'], 'x-vault-mfa'), undefined)
  for (const name of ['x-vault-token', 'cookie', 'x-vault-inline-auth-parameter-1']) {
    assert.equal(tellableHeader([name, 'hvs.token'], name, [name]), undefined)
  }
  assert.equal(tellableHeader(RAW, 'authorization'), 'Negotiate abc')
  assert.equal(tellableHeader(['Authorization', 'Bearer hvs.t'], 'authorization'), undefined)
})
