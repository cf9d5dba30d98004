/** What the compiler knows of a loaded config. The assertions are types; `tsc` runs them. */
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { type Loaded, reveal, type Revealed, Secret } from '../../src/client/client.ts'

/** Equal for the compiler, `readonly` and `?` included; nothing weaker sees those. */
// oxlint-disable typescript/no-unnecessary-type-parameters
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
// oxlint-enable typescript/no-unnecessary-type-parameters
const sure = (value: true): void => equal(value, true)

test('Loaded<T> knows a reference from a plain text, and from one it cannot know', () => {
  sure(true satisfies Same<Loaded<'vault://secret/db#pw'>, Secret>)
  sure(true satisfies Same<Loaded<'postgres://u:${vault://secret/db#pw}@h'>, Secret>)
  sure(true satisfies Same<Loaded<'VAULT://secret/db#pw'>, Secret>)
  sure(true satisfies Same<Loaded<'localhost'>, 'localhost'>)
  sure(true satisfies Same<Loaded<string>, string | Secret>)
  sure(true satisfies Same<Loaded<8080>, 8080>)
  sure(true satisfies Same<Loaded<string | undefined>, string | Secret | undefined>)
  type Input = { readonly db: { pw: 'vault://a/b#c'; port: number }; on?: boolean; at: Date }
  type Output = { db: { pw: Secret; port: number }; on?: boolean; at: Date }
  sure(true satisfies Same<Loaded<Input>, Output>)
  sure(true satisfies Same<Loaded<readonly ['vault://a/b#c', 1]>, [Secret, 1]>)
  sure(true satisfies Same<Loaded<string[]>, (string | Secret)[]>)
  sure(true satisfies Same<Loaded<() => string>, () => string>)
})

test('Revealed<T> is the config again, with texts in the place of secrets', () => {
  sure(true satisfies Same<Revealed<string | Secret>, string>)
  sure(
    true satisfies Same<
      Revealed<{ db: { pw: Secret; at: Date }; list: (string | Secret)[] }>,
      { db: { pw: string; at: Date }; list: string[] }
    >,
  )
  sure(true satisfies Same<Revealed<string | Secret | undefined>, string | undefined>)
})

test('reveal() opens secrets in plain objects and arrays, and leaves other objects alone', () => {
  const at = new Date(0)
  const map = new Map([['a', new Secret('x')]])
  deepEqual(reveal({ a: [new Secret('x'), 1], at, map, no: null }), {
    a: ['x', 1],
    at,
    map,
    no: null,
  })
  equal(reveal({ at }).at, at)
  equal(reveal(undefined), undefined)
})
