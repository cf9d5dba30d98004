/**
 * T05: somebody else writes the file. Flipped bits, values swapped between keys, older values put
 * back. A secret that is served must be the one that was stored; refusing, or missing it, is allowed.
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '../../src/lib/clock.ts'
import { sqliteStore } from '../../src/storage/sqlite.ts'
import { initialize, type Keys, startNode, unseal } from '../sim/node.ts'
import { at } from './client.ts'
import { newHome } from './process.ts'
import { type Seeded, seeded } from './seeded.ts'

export type BitRotResult = {
  flips: number
  /** Refused, or the file was not opened at all. */
  flipsRefused: number
  /** A secret was gone: its key could not be found any more. */
  flipsMissing: number
  /** Everything was served as it had been stored: dead space, or nothing that was read. */
  flipsHarmless: number
  swaps: number
  swapsRefused: number
  replays: number
  replaysRefused: number
  /** Sentences about secrets that were served and are not what was stored. */
  wrong: string[]
}

export type BitRot = {
  flips: number
  swaps: number
  replays: number
  seed: number
  tell?: (text: string) => void
}

const SECRETS = 40

type Prepared = {
  folder: string
  file: string
  keys: Keys
  random: Seeded
  /** Rows that came with the secrets. */
  rows: string[]
  /** Rows of the first versions, which later ones have replaced. */
  older: { key: string; value: Uint8Array }[]
}

export async function bitRot(options: BitRot): Promise<BitRotResult> {
  const { flips, swaps, replays, tell } = options
  const prepared = await prepare(options.seed)
  const counts = { refused: 0, missing: 0, harmless: 0 }
  const wrong: string[] = []
  const suffer = async (what: string, harm: (file: string) => void) => {
    const file = join(prepared.folder, 'harmed.db')
    for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
    copyFileSync(prepared.file, file)
    harm(file)
    const seen = await look(file, prepared.keys)
    for (const each of seen.wrong) wrong.push(`${what}: ${each}`)
    return seen
  }
  for (let i = 0; i < flips; i++) {
    const seen = await suffer('flip', (file) => flipBit(file, prepared.random))
    counts[seen.refused ? 'refused' : seen.missing ? 'missing' : 'harmless']++
    if (i % 50 === 49) tell?.(`flip ${i + 1}/${flips}: ${wrong.length} wrong`)
  }
  let swapsRefused = 0
  for (let i = 0; i < swaps; i++) {
    const seen = await suffer('swap', (file) => swapValues(file, prepared))
    if (seen.refused) swapsRefused++
    if (i % 50 === 49) tell?.(`swap ${i + 1}/${swaps}: ${wrong.length} wrong`)
  }
  let replaysRefused = 0
  for (let i = 0; i < replays; i++) {
    // An older state of the same key is not wrong in itself; whether it is noticed is only counted.
    const seen = await suffer('replay', (file) => replayOne(file, prepared))
    if (seen.refused) replaysRefused++
  }
  return {
    flips,
    flipsRefused: counts.refused,
    flipsMissing: counts.missing,
    flipsHarmless: counts.harmless,
    swaps,
    swapsRefused,
    replays,
    replaysRefused,
    wrong,
  }
}

const nameOf = (i: number) => `folder-${i % 4}/secret-${i}`
const valueOf = (i: number, version: number) => `canary ${i} of version ${version}`

/** Two versions of every secret, in a file without a journal beside it. */
async function prepare(seed: number): Promise<Prepared> {
  const { folder } = newHome()
  const file = join(folder, 'whole.db')
  const store = sqliteStore({ path: file })
  const node = startNode({ store, clock: systemClock })
  const keys = await initialize(node)
  const before = new Set(rowsOf(file).map(({ key }) => key))
  const writeAll = async (version: number) => {
    for (let i = 0; i < SECRETS; i++) {
      const data = { data: { value: valueOf(i, version) } }
      const path = `secret/data/${nameOf(i)}`
      const { status } = await node.ask('write', path, data, { token: keys.root })
      if (status !== 200) throw new Error(`a secret was answered with ${status}`)
    }
  }
  await writeAll(1)
  const first = rowsOf(file)
  await writeAll(2)
  const second = new Map(rowsOf(file).map(({ key, value }) => [key, Buffer.from(value)]))
  const older = first.filter(
    ({ key, value }) => !before.has(key) && second.get(key)?.equals(value) === false,
  )
  const rows = [...second.keys()].filter((key) => !before.has(key) && key.startsWith('d/'))
  await node.core.close()
  return { folder, file, keys, random: seeded(seed), rows, older }
}

function rowsOf(file: string): { key: string; value: Uint8Array }[] {
  const db = new DatabaseSync(file, { readOnly: true })
  const rows = db.prepare('SELECT key, value FROM entry WHERE value IS NOT NULL').all()
  db.close()
  return rows as { key: string; value: Uint8Array }[]
}

type Seen = { refused: boolean; missing: boolean; wrong: string[] }

/** Opens the file as a server would, and reads every version of every secret. */
async function look(file: string, keys: Keys): Promise<Seen> {
  const seen: Seen = { refused: false, missing: false, wrong: [] }
  let close = async () => {}
  try {
    const node = startNode({ store: sqliteStore({ path: file }), clock: systemClock })
    close = () => node.core.close()
    await unseal(node, keys)
    for (let i = 0; i < SECRETS; i++) {
      for (const version of [1, 2]) {
        const path = `secret/data/${nameOf(i)}`
        const { status, body } = await node.ask('read', path, { version }, { token: keys.root })
        const value = at(body, 'data', 'data', 'value')
        if (status === 404) seen.missing = true
        else if (status !== 200) seen.refused = true
        else if (value !== valueOf(i, version)) seen.wrong.push(`secret ${i}, version ${version}`)
      }
    }
  } catch {
    seen.refused = true
  }
  await close().catch(() => {})
  return seen
}

function flipBit(file: string, random: Seeded): void {
  const bytes = readFileSync(file)
  const at = random.below(bytes.length)
  bytes[at] = bytes[at]! ^ (1 << random.below(8))
  writeFileSync(file, bytes)
}

function swapValues(file: string, { random, rows }: Prepared): void {
  const one = random.pick(rows)
  const other = random.pick(rows.filter((key) => key !== one))
  const values = new Map(rowsOf(file).map(({ key, value }) => [key, value]))
  change(file, [
    [one, values.get(other)!],
    [other, values.get(one)!],
  ])
}

function replayOne(file: string, { random, older }: Prepared): void {
  const { key, value } = random.pick(older)
  change(file, [[key, value]])
}

function change(file: string, values: readonly (readonly [string, Uint8Array])[]): void {
  const db = new DatabaseSync(file)
  const put = db.prepare('UPDATE entry SET value = ? WHERE key = ?')
  for (const [key, value] of values) put.run(value, key)
  db.close()
}
