/**
 * Audit devices from the configuration file. They are entered into the table when the server opens,
 * so there is no unsealed moment without them; what the file says wins over what is stored.
 */
import { type Tx } from '../barrier/space.ts'
import { AUDIT_PATH, type AuditEntry, type AuditTable } from '../core/audit.ts'
import { type Core } from '../core/core.ts'
import { uuid } from '../lib/random.ts'
import { type AuditBlock } from './config-audit.ts'

export async function declareAudit(
  tx: Tx,
  core: Core,
  blocks: readonly AuditBlock[],
): Promise<void> {
  const stored = (await tx.get<AuditTable>(AUDIT_PATH))?.devices ?? []
  let changed = false
  const devices = new Map(stored.map((entry) => [entry.path, entry]))
  for (const block of blocks) {
    const path = block.path.endsWith('/') ? block.path : `${block.path}/`
    const known = devices.get(path)
    if (known && sameDevice(known, block)) continue
    // The salt stays: lines written before and after can still be matched.
    devices.set(path, { ...block, path, local: false, salt: known?.salt ?? uuid(core.random) })
    changed = true
  }
  if (changed) tx.put(AUDIT_PATH, { devices: [...devices.values()] } satisfies AuditTable)
}

function sameDevice(entry: AuditEntry, block: AuditBlock): boolean {
  const facts = ({ type, options }: AuditBlock) =>
    JSON.stringify([type, Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))])
  return facts(entry) === facts(block)
}
