/** The bindings of a roleset: HCL (or its base64) with the roles of each resource. */
import { refuse } from '../../kit/kit.ts'
import { HclError, isHclObject, parseHcl } from '../../lib/hcl.ts'

/** By resource, the roles on it, as they are shown. Throws a Failure without what was sent. */
export function parseBindings(text: string): Record<string, string[]> {
  const bindings: Record<string, string[]> = Object.create(null)
  for (const item of blocks(text)) {
    const [resource] = item.labels
    if (item.key !== 'resource' || resource === undefined || !isHclObject(item.value)) {
      return refuse('unable to parse bindings: expected resource "name" { roles = ["role"] }')
    }
    const roles = item.value.items.find(({ key }) => key === 'roles')?.value
    if (!Array.isArray(roles) || roles.length === 0) {
      return refuse('unable to parse bindings: a resource needs roles')
    }
    bindings[resource] = [...(bindings[resource] ?? []), ...roles.map(String)]
  }
  return bindings
}

function blocks(text: string) {
  const decoded = /^[A-Za-z0-9+/\s]+=*\s*$/.test(text)
    ? Buffer.from(text, 'base64').toString()
    : text
  try {
    return parseHcl(decoded).items
  } catch (error) {
    if (error instanceof HclError) return refuse('unable to parse bindings: expected HCL')
    throw error
  }
}
