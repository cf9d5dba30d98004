/** Each invariant stops the change that would break it. */
import { throws } from 'node:assert/strict'
import { test } from 'node:test'
import { checkChange } from './invariants.ts'
import { type RotationEntry } from './record.ts'

const credential = { username: 'app_a', password: 'x' }
const served = (number: number) => ({ number, credential, publishedAt: 0, proven: true })
const candidate = { number: 3, credential, tries: 1, round: 1, proven: true }

function entry(more: Partial<RotationEntry>): RotationEntry {
  return {
    kind: 'rotation',
    mount: 'm',
    of: 'login',
    name: 'app',
    path: 'static-creds/app',
    settings: {},
    timing: {},
    rules: {},
    state: 'IDLE',
    since: 0,
    step: 4,
    last: 3,
    orders: {},
    failures: 0,
    drift: { state: 'in_sync', at: 0, nextAt: 0 },
    spent: [],
    history: [],
    current: served(2),
    ...more,
  }
}

const previous = { ...served(1), replacedAt: 0 }

// oxfmt-ignore
const BROKEN: readonly [why: RegExp, from: Partial<RotationEntry>, to: Partial<RotationEntry>][] = [
  [/no such step/, {}, { state: 'PUBLISHED' }],
  [/no such step/, { state: 'DRAINING', previous }, { state: 'IDLE', previous }],
  [/I1/, { state: 'VERIFYING', candidate }, { state: 'PUBLISHED', current: { ...served(3), proven: false }, previous: { ...served(2), replacedAt: 0 } }],
  [/I2/, { state: 'DRAINING', previous }, { state: 'SOFT_REVOKED', previous }],
  [/I2/, { state: 'DRAINING', previous }, { state: 'REVOKED', previous }],
  [/I2/, { previous }, { state: 'PLANNED', candidate, previous }],
  [/I3/, { state: 'PLANNED', candidate }, { state: 'APPLYING', candidate: undefined }],
  [/I4/, {}, { step: 5 }],
  [/I5/, { state: 'SOFT_REVOKED', previous, current: served(2) }, { state: 'REVOKED', previous, current: undefined, spent: [{ number: 2, credential, until: 0 }] }],
  [/I6/, { state: 'REVOKED', previous }, { state: 'IDLE', previous: undefined }],
  [/I6/, {}, { current: served(5) }],
]

for (const [why, from, to] of BROKEN) {
  test(`checkChange() refuses ${from.state ?? 'IDLE'} to ${to.state ?? 'IDLE'} (${why.source})`, () => {
    throws(() => checkChange(entry(from), entry({ ...from, ...to }), {}), why)
  })
}

test('checkChange() takes what is in order', () => {
  const draining = entry({ state: 'DRAINING', previous })
  checkChange(draining, { ...draining, state: 'SOFT_REVOKED' }, { letGo: true })
  const released = { because: 'gone', at: 0, final: false }
  checkChange(draining, { ...draining, state: 'SOFT_REVOKED', released }, {})
})
