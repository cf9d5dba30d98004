import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../../test/support/fake-vault.ts'
import { gitRepo } from '../../../test/support/git-repo.ts'
import { tokenOf } from '../../../test/support/scan.ts'
import { ALL_RULES } from '../../rules/all.ts'
import { expandSample } from '../../rules/sample.ts'
import { PROBES } from './probes.ts'
import { hostsOf } from './verify.ts'

type Request = { url: string; headers: IncomingHttpHeaders }

async function provider(
  answer: (request: Request) => { status: number; body?: string; location?: string },
) {
  const asked: Request[] = []
  const server = createServer(({ url = '', headers }, response) => {
    asked.push({ url, headers })
    const { status, body = '', location } = answer({ url, headers })
    response.writeHead(status, location === undefined ? {} : { location }).end(body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    asked,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())),
  }
}

const [LIVE, DEAD, ODD] = [tokenOf('live'), tokenOf('dead'), tokenOf('odd')]

test('verify asks the provider once for each secret, in a header, and tells what it said', async () => {
  await using github = await provider(({ headers: { authorization = '' } }) => {
    if (authorization.endsWith(ODD))
      return { status: 302, location: 'http://127.0.0.1:1/elsewhere' }
    return { status: authorization.endsWith(LIVE) ? 200 : 401 }
  })
  using repo = gitRepo()
  repo.write({ a: `${LIVE}\n${DEAD}\n${ODD}\n`, b: `${LIVE}\n` })
  const { code, out } = await runCli([
    'scan',
    '-format=jsonl',
    '-verify',
    `-verify-host=api.github.com=${github.url}/api/v3`,
    repo.folder,
  ])
  equal(code, 1)
  const verdicts = out
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { verified: string }).verified)
  deepEqual(verdicts, ['live', 'dead', 'unknown', 'live'])
  deepEqual(
    github.asked.map(({ url }) => url),
    Array.from({ length: 3 }, () => '/api/v3/user'),
  )
  ok(!out.includes(LIVE))
  const text = await runCli([
    'scan',
    '-verify',
    `-verify-host=api.github.com=${github.url}`,
    join(repo.folder, 'b'),
  ])
  match(text.out, /its provider says: live/)
})

test('nobody is asked unless -verify says so, and nobody but the hosts that were named', async () => {
  await using github = await provider(() => ({ status: 200 }))
  using repo = gitRepo()
  repo.write({ a: `${LIVE}\n` })
  const host = `-verify-host=api.github.com=${github.url}`
  await runCli(['scan', host, repo.folder])
  equal(github.asked.length, 0)
  const none = await runCli(['scan', '-verify', repo.folder])
  equal(none.code, 2)
  match(
    none.err,
    /-verify asks only hosts that are named\nhint: -verify-host=HOST, one of .*api\.github\.com/,
  )
  const other = await runCli([
    'scan',
    '-format=jsonl',
    '-verify',
    '-verify-host=slack.com',
    repo.folder,
  ])
  ok(!other.out.includes('verified'))
  equal(github.asked.length, 0)
})

test('a provider that answers 200 to everyone, and one that is not there', async () => {
  const token = expandSample(['xoxb', '{d12}', '{d12}', '{B24}'].join('-'))
  await using slack = await provider(() => ({
    status: 200,
    body: '{"ok":false,"error":"invalid_auth"}',
  }))
  const verdictBy = async (url: string) => {
    const { out } = await runCli(
      ['scan', '-format=jsonl', '-verify', `-verify-host=slack.com=${url}`, '-'],
      { stdin: token },
    )
    return (JSON.parse(out) as { verified: string }).verified
  }
  equal(await verdictBy(slack.url), 'dead')
  equal(await verdictBy('http://127.0.0.1:9'), 'unknown')
})

test('hostsOf() takes known hosts, by https or on this machine', () => {
  for (const word of [
    'evil.test',
    'api.github.com=http://evil.test',
    'slack.com=ftp://x',
    'slack.com=',
  ]) {
    throws(() => hostsOf([word]), TypeError, word)
  }
  equal(hostsOf(['slack.com']).get('slack.com')!.href, 'https://slack.com/')
})

test('every probe is for rules that there are, and keeps the secret out of the address', () => {
  const ids = new Set(ALL_RULES.map(({ id }) => id))
  for (const { rules, path, headers, host } of PROBES) {
    for (const rule of rules) ok(ids.has(rule), rule)
    ok(!path.includes('{'), host)
    ok(/\{(?:secret|basic)\}/.test(Object.values(headers).join(' ')), host)
  }
})
