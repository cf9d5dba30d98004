/** A core with the fake engine at `fake/`, and short ways to say what tests of rotations say. */
import { type CoreOptions } from '../../src/core/core.ts'
import { type RotationEvent } from '../../src/core/rotation/advance.ts'
import { newMountEntry } from '../../src/core/bootstrap.ts'
import { idOf, type RotationEntry } from '../../src/core/rotation/record.ts'
import { type RotationKind } from '../../src/kit/rotation.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { ENGINES } from '../../src/server/builtin.ts'
import { memoryStore } from '../../src/storage/memory.ts'
import { fakeEngine, fakeLogins } from './fake-engine.ts'
import { type FakeTarget, fakeTarget } from './fake-target.ts'
import { fakeClock, testCore, type TestCore } from './test-core.ts'

export type House = TestCore & {
  target: FakeTarget
  events: string[]
  mount: string
  /** All that is due now; the timers stand still meanwhile. */
  settle: () => Promise<void>
  /** Time passes second by second, as on a server. */
  pass: (seconds: number) => Promise<void>
  entry: (name: string) => Promise<RotationEntry>
  declare: (name: string, more?: Record<string, unknown>) => Promise<void>
  served: (
    name: string,
    headers?: Record<string, string>,
  ) => Promise<{ username: string; password: string }>
}

export async function rotationHouse(
  options: Partial<CoreOptions> & { kind?: (target: FakeTarget) => RotationKind } = {},
): Promise<House> {
  const clock = fakeClock()
  const target = fakeTarget(clock)
  const events: string[] = []
  const { kind = fakeLogins, ...rest } = options
  const made = await testCore({
    store: memoryStore(),
    timer: clock,
    engines: [...ENGINES, fakeEngine(target, kind(target))],
    rotationEvent: (_tx, { type, path, generation }: RotationEvent) =>
      void events.push(`${type} ${path} ${generation}`),
    ...rest,
  })
  const tx = (await made.core.begin(false))!
  const { mounts } = await made.core.mounts.table(tx)
  const entry = newMountEntry({ path: 'fake/', class: 'secret', type: 'faked' }, systemRandom)
  made.core.mounts.save(tx, [...mounts, entry])
  await made.core.commit(tx)
  // Passes are made by hand here, none by the clock.
  made.core.expiry.stop()
  made.core.rotation.stop()
  return {
    ...made,
    ...ways(made, entry.uuid),
    target,
    events,
    mount: entry.uuid,
    clock,
  }
}

/** The same for another core on the same store. */
export function ways({ core, ask, clock }: TestCore, mount: string) {
  const settle = () => core.rotation.pass()
  return {
    settle,
    async pass(seconds: number) {
      for (let i = 0; i < seconds; i++) {
        clock.advance(1_000)
        await settle()
      }
    },
    async entry(name: string) {
      const found = await core.rotation.ask.entry(undefined, idOf(mount, `static-creds/${name}`))
      if (!found) throw new Error(`no rotation of ${name}`)
      return found
    },
    async declare(name: string, more: Record<string, unknown> = {}) {
      const short = { quiet: 5, undo_window: 5, max_grace: 60, reader_hold: 600 }
      const { status, text } = await ask('write', `fake/static-roles/${name}`, {
        ...short,
        ...more,
      })
      if (status >= 300) throw new Error(`declare ${name}: ${status} ${text}`)
    },
    async served(name: string, headers: Record<string, string> = {}) {
      const { body, status } = await ask('read', `fake/static-creds/${name}`, {}, { headers })
      if (status !== 200) throw new Error(`read ${name}: ${status}`)
      return body.data as { username: string; password: string }
    },
  }
}
