/**
 * What a request has found out the slow way, for as long as the request lives: a handler that runs
 * again does not hash a password or ask another server a second time.
 */
import { type Call } from '../kit/call.ts'
import { type Request } from './turn.ts'

type Known = { readonly key: readonly unknown[]; readonly answer: Promise<unknown> }

const known = new WeakMap<Request, Known[]>()

/** The `once` of the calls of one request. A failure is remembered like an answer. */
export function onceFor(request: Request): Call<unknown>['once'] {
  return <T>(key: readonly unknown[], work: () => Promise<T>) => {
    const all = known.get(request) ?? []
    known.set(request, all)
    const found = all.find((one) => sameKey(one.key, key))
    if (found) return found.answer as Promise<T>
    const answer = work()
    all.push({ key, answer })
    return answer
  }
}

const sameKey = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((part, i) => Object.is(part, b[i]))
