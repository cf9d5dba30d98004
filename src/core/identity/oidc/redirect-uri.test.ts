import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { isRegistered } from './redirect-uri.ts'

test('isRegistered() compares exactly', () => {
  const registered = ['https://app.test/callback', 'https://app.test/a?b=c', 'myapp:/back']
  for (const uri of registered) equal(isRegistered(uri, registered), true, uri)
  const others = [
    '',
    'https://app.test/callback/',
    'https://app.test/callback?x=1',
    'https://app.test/callback#x',
    'https://app.test:443/callback',
    'https://APP.test/callback',
    'http://app.test/callback',
    'https://app.test/callback\n',
    ' https://app.test/callback',
    'https://app.test@evil.test/callback',
    'https://app.test.evil.test/callback',
    'https://evil.test/https://app.test/callback',
    '//app.test/callback',
    'https://app.test/./callback',
    'https://app.test/%63allback',
    'https:\\\\app.test\\callback',
  ]
  for (const uri of others) equal(isRegistered(uri, registered), false, uri)
})

test('isRegistered() leaves the port of a loopback free, and nothing else', () => {
  const registered = ['http://127.0.0.1/cb', 'http://localhost:8080/cb?x=1', 'http://[::1]:1/cb']
  const good = [
    'http://127.0.0.1/cb',
    'http://127.0.0.1:50000/cb',
    'http://localhost/cb?x=1',
    'http://localhost:1234/cb?x=1',
    'http://[::1]:65535/cb',
  ]
  for (const uri of good) equal(isRegistered(uri, registered), true, uri)
  const bad = [
    'https://127.0.0.1:50000/cb',
    'http://127.0.0.1:50000/other',
    'http://127.0.0.1:50000/cb?x=1',
    'http://127.0.0.1:50000/cb#x',
    'http://127.0.0.1:50000',
    'http://127.0.0.1:x/cb',
    'http://127.0.0.1:/cb',
    'http://127.0.0.1:123456/cb',
    'http://127.0.0.2:1/cb',
    'http://127.0.0.1.evil.test/cb',
    'http://127.0.0.1:1@evil.test/cb',
    'http://user@127.0.0.1:1/cb',
    'http://localhost.evil.test:1/cb?x=1',
    'http://localhost:1/cb',
    'http://LOCALHOST:1/cb?x=1',
    'http://127.0.0.1:1/cb\n',
  ]
  for (const uri of bad) equal(isRegistered(uri, registered), false, uri)
})

test('isRegistered() frees no port that only looks like that of a loopback', () => {
  equal(isRegistered('http://app.test:81/cb', ['http://app.test:80/cb']), false)
  equal(isRegistered('http://127.0.0.1:1@app.test/', ['http://127.0.0.1@app.test/']), false)
  equal(isRegistered('x', []), false)
})
