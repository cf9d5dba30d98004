/**
 * Whether a history of concurrent operations could have happened one at a time, each at some moment
 * between its call and its return: linearizability, after Wing and Gong, with Lowe's memory of what
 * has been tried. One history is about one object; give it one key at a time.
 *
 * The search keeps calls and returns in a list ordered by time. It takes a call that the model
 * allows out of the list and goes on from the front; when it meets a return whose call it has not
 * taken, the last choice was wrong and is undone.
 */

export type Operation<Input, Output> = {
  readonly input: Input
  /** Undefined when no answer came: the operation may have happened at any later moment, or never. */
  readonly output: Output | undefined
  /** Moments of any clock that orders what one process saw. */
  readonly called: number
  /** Infinity when no answer came. */
  readonly returned: number
}

export type Model<State, Input, Output> = {
  readonly initial: State
  /** The state after it, or undefined when this output cannot come from this state. */
  step(state: State, input: Input, output: Output | undefined): State | undefined
  /** Equal for equal states. */
  keyOf(state: State): string
}

export type Verdict<Input, Output> =
  | { readonly linearizable: true }
  | {
      readonly linearizable: false
      /** How many could be put in an order at best. */
      readonly placed: number
      /** The first operation that fits nowhere after those. */
      readonly stuck: Operation<Input, Output>
    }

type Event = {
  /** Index of the operation. */
  readonly of: number
  readonly isCall: boolean
  before: Event | undefined
  after: Event | undefined
  /** Of a call: its return. */
  end: Event | undefined
}

export function checkHistory<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): Verdict<Input, Output> {
  const head = eventsOf(history)
  const placed = new Uint32Array(Math.ceil(history.length / 32))
  const tried = new Set<string>()
  const chosen: { event: Event; state: State }[] = []
  let best = { placed: 0, stuck: history[0]! }
  let state = model.initial
  for (let event = head.after; head.after;) {
    if (!event) throw new Error('every list of events ends with a return')
    const operation = history[event.of]!
    if (event.isCall) {
      const next = model.step(state, operation.input, operation.output)
      flip(placed, event.of)
      const fresh = next !== undefined && isNew(tried, `${placed.join()}|${model.keyOf(next)}`)
      if (fresh) {
        chosen.push({ event, state })
        state = next
        takeOut(event)
        event = head.after
      } else {
        flip(placed, event.of)
        event = event.after
      }
      continue
    }
    if (chosen.length >= best.placed) best = { placed: chosen.length, stuck: operation }
    const last = chosen.pop()
    if (!last) return { linearizable: false, ...best }
    state = last.state
    flip(placed, last.event.of)
    putBack(last.event)
    event = last.event.after
  }
  return { linearizable: true }
}

/** All calls and returns in order of time, behind a head that is neither. */
function eventsOf(history: readonly Operation<unknown, unknown>[]): Event {
  const moments = history.flatMap(({ called, returned }, of) => {
    if (returned < called) throw new RangeError('an operation returned before it was called')
    const end = link(of, false)
    return [
      { at: called, event: { ...link(of, true), end } },
      { at: returned, event: end },
    ]
  })
  // At the same moment calls come first: nobody can say that one had returned before the other.
  moments.sort((a, b) => order(a.at, b.at) || Number(b.event.isCall) - Number(a.event.isCall))
  const head = link(-1, true)
  let last = head
  for (const { event } of moments) {
    last.after = event
    event.before = last
    last = event
  }
  return head
}

// Infinity minus Infinity is no number.
const order = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0)

const link = (of: number, isCall: boolean): Event => ({
  of,
  isCall,
  before: undefined,
  after: undefined,
  end: undefined,
})

function takeOut(call: Event): void {
  for (const event of [call, call.end!]) {
    event.before!.after = event.after
    if (event.after) event.after.before = event.before
  }
}

/** In the reverse order of taking out, so that the neighbours are there again. */
function putBack(call: Event): void {
  for (const event of [call.end!, call]) {
    event.before!.after = event
    if (event.after) event.after.before = event
  }
}

function flip(bits: Uint32Array, index: number): void {
  const word = index >>> 5
  bits[word] = bits[word]! ^ (1 << (index & 31))
}

function isNew(seen: Set<string>, key: string): boolean {
  const before = seen.size
  return seen.add(key).size > before
}

/** A versioned register, as a key of kv version 2 is: each write takes the next version. */
export type RegisterInput =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: string; readonly cas?: number }
  | { readonly kind: 'delete' }

/** `refused`: the cas did not match. Version 0 = never written; no value = never, or deleted. */
export type RegisterOutput = {
  readonly version?: number
  readonly value?: string | undefined
  readonly refused?: boolean
}

type RegisterState = { readonly version: number; readonly value: string | undefined }

export const registerModel: Model<RegisterState, RegisterInput, RegisterOutput> = {
  initial: { version: 0, value: undefined },
  step(state, input, output) {
    if (input.kind === 'delete') return { ...state, value: undefined }
    if (input.kind === 'read') {
      const same = output?.version === state.version && output.value === state.value
      return !output || same ? state : undefined
    }
    if (input.cas !== undefined && input.cas !== state.version) {
      return !output || output.refused ? state : undefined
    }
    const next = { version: state.version + 1, value: input.value }
    if (!output) return next
    return !output.refused && output.version === next.version ? next : undefined
  },
  keyOf: ({ version, value }) => `${version} ${value ?? ''}`,
}

export type RegisterOperation = Operation<RegisterInput, RegisterOutput>
