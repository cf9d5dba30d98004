/**
 * Holds a node that has just started against the world: whatever was acknowledged is so, and what
 * was under way is so wholly or not at all. Clears up what was unknown.
 */
import { type Verb } from '../../src/kit/engine.ts'
import { at, type Client } from '../torture/client.ts'
import { checkAccessors, checkRecord, type Findings } from '../torture/ledger.ts'
import { type Node } from './node.ts'
import { ROLE, setFree, type Site } from './operations.ts'
import { isAlive, isLent, type Lent, type Single, type Token, type World } from './world.ts'

const VERBS: Record<string, Verb> = { GET: 'read', LIST: 'list', POST: 'write', DELETE: 'delete' }

/** The node as the checks of the crash tests know a server. */
function clientOf(node: Node, root: string): Client {
  return {
    ports: new Set(),
    ask(method, path, body = {}, { token = root } = {}) {
      const [name = '', query] = path.split('?')
      const data = query ? Object.fromEntries(new URLSearchParams(query)) : { ...body }
      return node.ask(VERBS[method]!, name, data, { token })
    },
    close() {},
  }
}

/** Records that were seen to be over are not asked about again. */
const over = new WeakSet<object>()

export async function check(site: Site, findings: Findings): Promise<void> {
  const { world, node, root } = site
  const client = clientOf(node, root)
  for (const key of world.keys) await checkRecord(client, key, findings)
  // Parents come first: what became of them decides about their children.
  for (const token of unsettled(world.tokens)) await checkToken(site, token, findings)
  for (const single of unsettled(world.singles)) await checkSingle(site, single, findings)
  for (const lent of unsettled(world.lent)) await checkLent(site, lent, findings)
  await checkAccessors(client, findings)
}

const unsettled = <T extends object>(records: readonly T[]) => records.filter((r) => !over.has(r))

const asRoot = ({ node, root }: Site, path: string, data: Record<string, unknown>) =>
  node.ask('write', path, data, { token: root })

async function checkToken(site: Site, token: Token, findings: Findings): Promise<void> {
  const { accessor } = token
  const seen = await asRoot(site, 'auth/token/lookup-accessor', { accessor })
  const found = seen.status === 200
  const name = `token ${site.world.tokens.indexOf(token)}`
  const { pending } = token
  token.pending = undefined
  if (pending === 'use') settleUse(token, found ? (at(seen.body, 'data', 'num_uses') as number) : 0)
  else if (pending && !found && isAlive(token, site.now())) {
    token.ended = true
    if (pending !== 'end') setFree(site.world, token)
  }
  const alive = isAlive(token, site.now())
  if (found !== alive) findings.lost.push(`${name}: ${alive ? 'gone' : 'lives on'}`)
  if (found && at(seen.body, 'data', 'num_uses') !== token.usesLeft) {
    findings.lost.push(`${name}: another number of uses is left`)
  }
  if (token.usesLeft === 0 || !found) {
    const self = await site.node.ask('read', 'auth/token/lookup-self', {}, { token: token.id })
    if ((self.status === 200) !== found) findings.half.push(`${name}: id and accessor differ`)
  }
  if (!alive) over.add(token)
}

/** A use without an answer was spent or was not. */
function settleUse(token: Token, left: number): void {
  if (left === token.usesLeft - 1) token.usesLeft = left
  if (token.usesLeft === 0) token.ended = true
}

async function checkSingle(site: Site, single: Single, findings: Findings): Promise<void> {
  const { kind, id, accessor } = single
  const seen =
    kind === 'wrap'
      ? await asRoot(site, 'sys/wrapping/lookup', { token: id })
      : await asRoot(site, `${ROLE}/secret-id-accessor/lookup`, { secret_id_accessor: accessor })
  const found = seen.status === 200
  if (single.pending && !found) single.used = true
  single.pending = undefined
  const there = !single.used && single.expiresAt > site.now()
  const name = `${kind} ${site.world.singles.indexOf(single)}`
  if (found !== there) findings.lost.push(`${name}: ${there ? 'gone' : 'can be used again'}`)
  if (!there) over.add(single)
}

async function checkLent(site: Site, lent: Lent, findings: Findings): Promise<void> {
  const { status } = await asRoot(site, 'sys/leases/lookup', { lease_id: lent.id })
  const found = status === 200
  const back = site.world.givenBack.has(lent.thing)
  // Ending one has two steps; after the first it is ending, which cannot be taken back.
  if (lent.pending && (!found || back)) lent.ended = true
  lent.pending = undefined
  const there = isLent(lent, site.now())
  const name = `lease ${site.world.lent.indexOf(lent)}`
  if (there && !found) findings.lost.push(`${name}: gone`)
  if (there && back) findings.lost.push(`${name}: given back before its time`)
  if (!there && !found && !back) findings.lost.push(`${name}: forgotten without being given back`)
  if (!there && !found) over.add(lent)
}

/** When all time has passed, everything that was lent must be back. */
export function checkEnd(world: World, findings: Findings): void {
  for (const [i, { thing }] of world.lent.entries()) {
    if (!world.givenBack.has(thing)) findings.lost.push(`lease ${i}: never given back`)
  }
}
