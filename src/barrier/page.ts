/** Names in the order every list has, whatever alphabet they are of. */
import { type Page } from '../storage/store.ts'

/** Sorted in UTF-8 order, and cut to the page. */
export function pageOf(names: string[], page: Page | undefined): string[] {
  // Code unit order is UTF-8 order unless a name goes beyond the basic plane, and much quicker.
  const order = names.some((name) => SURROGATE.test(name)) ? byBytes : byCodeUnits
  const sorted = names.sort(order)
  const { after, limit } = page ?? {}
  const from = after === undefined ? sorted : sorted.filter((name) => byBytes(name, after) > 0)
  return limit ? from.slice(0, limit) : from
}

const SURROGATE = /[\ud800-\udfff]/
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))
const byCodeUnits = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
