import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { hmac } from '../crypto/hmac.ts'
import { systemRandom } from '../lib/random.ts'
import {
  accessorOf,
  newAccessor,
  newRootToken,
  newServiceToken,
  openBatchToken,
  sameDigest,
  sealBatchToken,
  tokenDigest,
} from './token-format.ts'

const key = systemRandom(32)

test('openBatchToken() opens nothing that was not sealed with this key, whole', () => {
  const claims = { policies: ['default'], expiresAt: 5 }
  const token = sealBatchToken(key, claims)
  deepEqual(openBatchToken(key, token), claims)
  equal(openBatchToken(systemRandom(32), token), undefined)
  const bytes = Buffer.from(token.slice(4), 'base64url')
  for (let at = 0; at < bytes.length; at++) {
    const bad = Buffer.from(bytes)
    bad[at]! ^= 1
    equal(openBatchToken(key, `hvb.${bad.toString('base64url')}`), undefined)
    equal(openBatchToken(key, `hvb.${bytes.subarray(0, at).toString('base64url')}`), undefined)
  }
  fc.assert(fc.property(fc.string(), (text) => openBatchToken(key, `hvb.${text}`) === undefined))
  equal(openBatchToken(key, token.slice(4)), undefined)
})

test('accessorOf() finds an accessor in service tokens only', () => {
  const accessor = newAccessor(systemRandom)
  const token = newServiceToken(accessor, systemRandom)
  equal(accessorOf(token), accessor)
  for (const bad of ['', 'hvs.', newRootToken(systemRandom), token.slice(0, -1), `${token}A`]) {
    equal(accessorOf(bad), undefined)
  }
  for (const bad of [
    ` ${token}`,
    `${token}\n`,
    `s.${token.slice(4)}`,
    token.replace(accessor, '../'.repeat(8)),
  ]) {
    equal(accessorOf(bad), undefined)
  }
})

test('newServiceToken() looks as scanners expect and can be told from noise', () => {
  const accessor = newAccessor(systemRandom)
  const token = newServiceToken(accessor, systemRandom)
  match(token, /^hvs\.[A-Za-z0-9_-]{94}$/)
  const tail = Buffer.from(token.slice(4 + accessor.length), 'base64url')
  const checked = Buffer.concat([Buffer.from(accessor), tail.subarray(0, 48)])
  equal(tail.readUInt32BE(48), crc32(checked))
  match(newRootToken(systemRandom), /^hvs\.[A-Za-z0-9]{24}$/)
})

test('sameDigest() compares digests, of another length too', () => {
  const mac = hmac('sha256', key)
  const digest = tokenDigest(mac, 'a')
  ok(sameDigest(digest, tokenDigest(mac, 'a')))
  for (const other of [
    tokenDigest(mac, 'b'),
    tokenDigest(hmac('sha256', systemRandom(32)), 'a'),
    '',
    `${digest}x`,
  ]) {
    ok(!sameDigest(digest, other))
  }
})
