/** How rotations are drawn, and what the commands do with what the server says. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Answers,
  envelopeOf,
  fakeVault,
  runAgainst,
} from '../../../../test/support/fake-vault.ts'
import { drawRotation, drawWay } from './picture.ts'
import { screenOn } from './status.ts'
import { cut, shortDuration, type Told, when } from './told.ts'

const NOW = Date.UTC(2026, 0, 1, 12)

function told(more: Partial<Told> = {}): Told {
  return {
    path: 'database/static-creds/app',
    kind: 'static',
    target: 'postgresql app-db (127.0.0.1:5432)',
    strategy: 'ab',
    state: 'DRAINING',
    phase: 'DRAINING',
    hold_reason: '',
    hold_note: '',
    generation: 4,
    previous_generation: 3,
    candidate_generation: 0,
    since: '2026-01-01T11:59:00Z',
    last_rotation: '2026-01-01T11:59:00Z',
    next_rotation: '2026-01-02T11:59:00Z',
    next_try: null,
    trouble: '',
    drift: 'in_sync',
    holders: [],
    history: [{ at: '2026-01-01T11:59:00Z', state: 'PUBLISHED', generation: 4, note: 'served' }],
    ...more,
  }
}

const holder = (more = {}) => ({
  kind: 'client',
  name: '6f2c1c9e-5a56-4a0e-9d6c-1f0c6f1f3f11',
  app: 'payments',
  generation: 3,
  state: 'applied',
  since: '2026-01-01T11:58:00Z',
  address: '2001:db8:85a3::8a2e:370:7334',
  blocks: true,
  ...more,
})

test('a picture is never wider than a terminal, whatever stands in it', () => {
  const long = 'x'.repeat(300)
  const picture = drawRotation(
    told({
      path: long,
      target: long,
      state: 'HELD',
      hold_reason: 'drain',
      hold_note: long,
      trouble: long,
      holders: Array.from({ length: 40 }, () => holder({ app: long, name: long, address: long })),
      history: Array.from({ length: 40 }, () => ({ ...told().history[0]!, note: long })),
    }),
    NOW,
  )
  for (const line of picture.split('\n')) ok(Array.from(line).length <= 80, line)
  ok(picture.includes('and 28 more'))
})

test('what a holder calls itself cannot move the cursor', () => {
  const picture = drawRotation(
    told({ holders: [holder({ app: 'a\u001b[2J\u202eb' })], trouble: 'a\u009bb\n' }),
    NOW,
  )
  ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/.test(picture))
})

test('drawWay() shows where it is', () => {
  match(drawWay({ phase: 'APPLYING' }), /^● planned ─ ◉ applied ─ ○ proven/)
  match(drawWay({ phase: 'IDLE' }), /^○ planned/)
  match(drawWay({ phase: 'REVOKED' }), /● refused ─ ◉ revoked$/)
  ok(Array.from(drawWay({ phase: 'IDLE' })).length <= 80)
})

test('times read as people say them', () => {
  equal(when('2026-01-01T12:00:00Z', NOW), 'now')
  equal(when('2026-01-01T11:00:00Z', NOW), '1h ago')
  equal(when('2026-01-03T15:00:00Z', NOW), 'in 2d3h')
  equal(when('2026-01-31T11:59:58Z', NOW), 'in 30d')
  equal(when(null, NOW), 'never')
  equal(shortDuration(90 * 86_400), '90d')
  equal(cut('abcdef', 4), 'abc…')
})

function screen(isTTY: boolean) {
  let text = ''
  const stdout = { isTTY, write: (more: string) => void (text += more) }
  const out = { tabular: true, line: (line: string) => void (text += `${line}\n`) }
  const draw = screenOn({ io: { stdout }, out } as never)
  return { draw, take: () => [text, (text = '')][0]! }
}

test('on a terminal the picture is drawn over itself', () => {
  const { draw, take } = screen(true)
  draw(told())
  const first = take()
  ok(!first.includes('\u001b[A') && !/\u001b\[\d+A/.test(first))
  draw(told({ holders: [holder()] }))
  const second = take()
  const height = first.split('\n').length - 1
  ok(second.startsWith(`\u001b[${height}A\r`))
  ok(second.endsWith('\u001b[J'), 'what was longer before is cleared')
})

test('elsewhere each thing that happens is one line', () => {
  const { draw, take } = screen(false)
  const { history } = told()
  draw(told())
  draw(told())
  const next = { ...history[0]!, state: 'DRAINING', note: 'let go' }
  draw(told({ history: [...history, next], drift: 'target_changed' }))
  deepEqual(take().split('\n'), [
    '2026-01-01 11:59:00  PUBLISHED     gen 4  served',
    '2026-01-01 11:59:00  DRAINING      gen 4  let go',
    'drift: target_changed',
    '',
  ])
})

async function run(answers: Answers, line: string, stdin = '') {
  await using vault = await fakeVault(answers)
  const ran = await runAgainst(vault, line.split(' '), { stdin })
  return { ...ran, asked: vault.asked }
}

const STATUS = 'GET sys/coffer/rotate/status/a/b'
const answered = (more: Partial<Told> = {}) => envelopeOf(told(more))

test('status -watch -until ends when it comes true, and says when it does not', async () => {
  const idle = answered({ state: 'IDLE', phase: 'IDLE', previous_generation: 0 })
  const done = await run(
    { [STATUS]: [answered(), answered(), idle] },
    'rotate status -watch -interval=200ms -until=idle a/b',
  )
  deepEqual([done.code, done.asked.length], [0, 3])
  const held = await run(
    { [STATUS]: [answered(), answered({ state: 'HELD', hold_reason: 'drain' })] },
    'rotate status -watch -interval=200ms -until=idle a/b',
  )
  equal(held.code, 3)
  equal((await run({}, 'rotate status -until=idle a/b')).code, 1)
})

test('the value of an assisted rotation comes from a pipe and from nowhere else', async () => {
  const staged = envelopeOf(told({ state: 'STAGED' }))
  const ran = await run({ '*': staged }, 'rotate now -value=- a/b', 'hunter2\n')
  equal(JSON.parse(ran.asked[0]!.body).value, 'hunter2')
  ok(!ran.out.includes('hunter2') && !ran.err.includes('hunter2'))
  const typed = await run({}, 'rotate now -value=hunter2 a/b')
  deepEqual([typed.code, typed.asked.length], [1, 0])
})

test('reconcile -adopt sends what was piped, and fails while it is not in sync', async () => {
  const changed = await run(
    { '*': answered({ drift: 'target_changed', trouble: 'login refused' }) },
    'rotate reconcile a/b',
  )
  deepEqual(
    [changed.code, changed.out, changed.err],
    [1, 'database/static-creds/app: target_changed\n', 'trouble: login refused\n'],
  )
  const adopted = await run(
    { '*': answered() },
    'rotate reconcile -adopt=password a/b',
    'secret-1\n',
  )
  deepEqual(JSON.parse(adopted.asked[0]!.body), { adopt: { password: 'secret-1' } })
  equal(adopted.code, 0)
})
