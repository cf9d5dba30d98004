/**
 * Random reads, writes (with and without cas) and deletions on a few keys from many clients, and
 * the history of each key as the clients saw it: what the checker of linearizability is given.
 */
import { checkHistory, registerModel } from '../support/wgl.ts'
import { type RegisterInput, type RegisterOperation, type RegisterOutput } from '../support/wgl.ts'
import { type Answer, at, NoAnswer } from './client.ts'
import { type Seeded } from './seeded.ts'

/** Asks once, over one connection to wherever. */
export type Ask = (
  verb: 'read' | 'write' | 'delete',
  path: string,
  body?: Record<string, unknown>,
) => Promise<Answer>

export type Histories = Map<string, RegisterOperation[]>

export type Load = {
  /** One for each client. */
  asks: readonly Ask[]
  operations: number
  keys: number
  random: Seeded
}

const CONFLICT = 'changed too often'

export async function recordHistories(load: Load): Promise<Histories> {
  const { asks, operations, keys, random } = load
  const histories: Histories = new Map()
  /** One process records everything, so a counter is a clock that never says "at once". */
  let moment = 0
  let begun = 0
  const client = async (ask: Ask, name: number) => {
    /** The version of each key this client saw last: mostly the right cas, sometimes a stale one. */
    const seen = new Map<string, number>()
    for (let left = begun++; left < operations; left = begun++) {
      const key = `register-${random.below(keys)}`
      const input = chooseInput(random, `${name}.${left}`, seen.get(key) ?? 0)
      const called = moment++
      const output = await carryOut(ask, key, input)
      if (output === 'not done') continue
      if (output?.version !== undefined) seen.set(key, output.version)
      const returned = output ? moment++ : Infinity
      const history = histories.get(key) ?? []
      histories.set(key, history)
      history.push({ input, output, called, returned })
    }
  }
  await Promise.all(asks.map(client))
  return histories
}

function chooseInput(random: Seeded, value: string, cas: number): RegisterInput {
  const dice = random.below(100)
  if (dice < 50) return { kind: 'read' }
  if (dice < 70) return { kind: 'write', value }
  if (dice < 95) return { kind: 'write', value, cas }
  return { kind: 'delete' }
}

/** Undefined when nobody knows whether it was done. */
async function carryOut(
  ask: Ask,
  key: string,
  input: RegisterInput,
): Promise<RegisterOutput | 'not done' | undefined> {
  const path = `secret/data/${key}`
  try {
    if (input.kind === 'read') return readOutput(await ask('read', path))
    if (input.kind === 'delete') return deleteOutput(await ask('delete', path))
    const options = input.cas !== undefined && { options: { cas: input.cas } }
    return writeOutput(await ask('write', path, { data: { value: input.value }, ...options }))
  } catch (error) {
    if (error instanceof NoAnswer) return undefined
    throw error
  }
}

function readOutput({ status, body }: Answer): RegisterOutput | 'not done' | undefined {
  if (status !== 200 && status !== 404) return 'not done'
  const version = at(body, 'data', 'metadata', 'version')
  return {
    version: typeof version === 'number' ? version : 0,
    value: at(body, 'data', 'data', 'value') as string | undefined,
  }
}

const deleteOutput = (answer: Answer) => (answer.status === 204 ? {} : notAnswered(answer))

function writeOutput(answer: Answer): RegisterOutput | 'not done' | undefined {
  if (answer.status === 200) return { version: at(answer.body, 'data', 'version') as number }
  return answer.status === 400 ? { refused: true } : notAnswered(answer)
}

/** Conflicts say that nothing was written; other failures leave it open. */
function notAnswered({ body }: Answer): 'not done' | undefined {
  const [text = ''] = (at(body, 'errors') ?? []) as string[]
  return text.startsWith(CONFLICT) ? 'not done' : undefined
}

/** A sentence for each key whose history no order explains. */
export function violations(histories: Histories): string[] {
  const found: string[] = []
  for (const [key, history] of histories) {
    const verdict = checkHistory(registerModel, history)
    if (verdict.linearizable) continue
    const { placed, stuck } = verdict
    found.push(`${key}: ${placed} of ${history.length} placed, then ${JSON.stringify(stuck)}`)
  }
  return found
}

/** The history with one read made stale: it answers what an earlier read has answered. */
export function withStaleRead(
  history: readonly RegisterOperation[],
  random: Seeded,
): RegisterOperation[] | undefined {
  const reads = history.filter(({ input }) => input.kind === 'read')
  const pairs = reads.flatMap((late) => {
    const early = reads.find((read) => isOlder(read, late, history))
    return early ? [{ early, late }] : []
  })
  if (pairs.length === 0) return undefined
  const { early, late } = random.pick(pairs)
  return history.map((each) => (each === late ? { ...late, output: early.output } : each))
}

/** Whether a write was acknowledged after `early` had ended and before `late` began. */
function isOlder(
  early: RegisterOperation,
  late: RegisterOperation,
  history: readonly RegisterOperation[],
): boolean {
  return history.some(
    ({ input, output, called, returned }) =>
      input.kind === 'write' &&
      output?.version !== undefined &&
      called > early.returned &&
      returned < late.called,
  )
}
