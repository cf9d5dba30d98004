/**
 * The newest checkpoint of each chain of the audit log, kept in the store: where somebody who can
 * write to the log cannot reach. A log whose end is missing then lacks what this knows of.
 *
 *   sys/audit-witness/<chain>   {device, chain, seq, prev, time, signature}
 */
import { type Scope } from '../barrier/space.ts'
import { StoreConflict } from '../storage/store.ts'
import { type Checkpoint } from './audit-chain.ts'
import { type Core } from './core.ts'

const PREFIX = 'sys/audit-witness/'
/** Chains that are remembered: each start of a process begins one for each device. */
const CHAINS_MAX = 1_000

export type Witnessed = Checkpoint & { readonly device: string }

export async function checkpoints(scope: Scope): Promise<Witnessed[]> {
  const found: Witnessed[] = []
  for (const name of await scope.list(PREFIX)) {
    const witnessed = await scope.get<Witnessed>(PREFIX + name)
    if (witnessed) found.push(witnessed)
  }
  return found.sort((a, b) => (a.time < b.time ? -1 : 1))
}

/** In the caller's transaction. */
export async function putCheckpoint(
  scope: Scope,
  device: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const path = PREFIX + checkpoint.chain
  if (!(await scope.get(path))) await forgetOldest(scope)
  scope.put(path, { ...checkpoint, device } satisfies Witnessed)
}

/** Never throws: that a checkpoint is not kept makes the log no worse than it was before. */
export async function keepCheckpoint(
  core: Core,
  device: string,
  checkpoint: Checkpoint,
): Promise<void> {
  try {
    const tx = await core.begin(false)
    if (!tx) return
    await putCheckpoint(tx, device, checkpoint)
    await core.commit(tx)
  } catch (error) {
    // Another process has just kept its own; the next checkpoint covers this one.
    if (error instanceof StoreConflict) return
    core.log('warn', `the checkpoint of audit device ${device} could not be kept`)
  }
}

async function forgetOldest(scope: Scope): Promise<void> {
  const known = await checkpoints(scope)
  const spare = known.length - (CHAINS_MAX - 1)
  for (const { chain } of known.slice(0, Math.max(0, spare))) scope.remove(PREFIX + chain)
}
