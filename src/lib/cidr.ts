/**
 * Address blocks that tokens and roles are bound to. An IPv4 address mapped into IPv6, which is
 * what a dual-stack socket reports, counts as the IPv4 address it is.
 */
import { isIPv4, isIPv6 } from 'node:net'

/** `base` is the first address of the block as a number; `bits` of it are fixed. */
export type Cidr = {
  readonly text: string
  readonly family: 4 | 6
  readonly base: bigint
  readonly bits: number
}

/** Not an address block; the text does not repeat what was given. */
export class CidrError extends Error {
  override readonly name = 'CidrError'
}

/** `10.0.0.0/8`, `2001:db8::/32`, or one address. Throws CidrError. */
export function parseCidr(text: string): Cidr {
  const [, host = '', length] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  const address = parseAddress(host)
  if (address === undefined) {
    throw new CidrError('expected an IP address or a block such as 10.0.0.0/8 or fd00::/8')
  }
  const { family, value, mapped } = address
  const width = widthOf(family)
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8: the first 96 bits only say that IPv4 follows.
  const bits = length === undefined ? width : Number(length) - (mapped ? 96 : 0)
  if (bits < 0 || bits > width) throw new CidrError('prefix length is outside its address family')
  const free = BigInt(width - bits)
  return { text, family, base: (value >> free) << free, bits }
}

/** False, too, when `ip` is no address. A zone (`fe80::1%eth0`) is not looked at. */
export function cidrContains(cidr: Cidr, ip: string): boolean {
  const address = parseAddress(ip.replace(/%.*$/, ''))
  if (address === undefined || address.family !== cidr.family) return false
  const free = BigInt(widthOf(cidr.family) - cidr.bits)
  return address.value >> free === cidr.base >> free
}

/** Whether every address of `inner` is in `outer`. */
export function cidrSubset(inner: Cidr, outer: Cidr): boolean {
  if (inner.family !== outer.family || inner.bits < outer.bits) return false
  const free = BigInt(widthOf(outer.family) - outer.bits)
  return inner.base >> free === outer.base >> free
}

/**
 * One word for an address and all that are in one network with it: an IPv4 address is alone, of an
 * IPv6 address so many bits count. What is no address is a word of its own.
 */
export function networkOf(ip: string, v6Bits: number): string {
  if (!ip.includes(':')) return ip
  const address = parseAddress(ip.replace(/%.*$/, ''))
  if (!address) return ip
  if (address.family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => (address.value >> shift) & 255n).join('.')
  }
  return `${(address.value >> BigInt(128 - v6Bits)).toString(16)}/${v6Bits}`
}

const widthOf = (family: 4 | 6) => (family === 4 ? 32 : 128)

type Address = { family: 4 | 6; value: bigint; mapped: boolean }

function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: parseV4(text), mapped: false }
  if (!isIPv6(text) || text.includes('%')) return undefined
  const value = parseV6(text)
  if (value >> 32n === 0xffffn) return { family: 4, value: value & 0xffff_ffffn, mapped: true }
  return { family: 6, value, mapped: false }
}

function parseV4(text: string): bigint {
  return text.split('.').reduce((value, octet) => (value << 8n) | BigInt(octet), 0n)
}

/** Of a valid address, so that only its shape is left to read. */
function parseV6(text: string): bigint {
  const tail = text.slice(text.lastIndexOf(':') + 1)
  if (tail.includes('.')) {
    const v4 = parseV4(tail)
    const groups = `${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`
    return parseV6(text.slice(0, -tail.length) + groups)
  }
  const [head = '', rest] = text.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = rest === undefined || rest === '' ? [] : rest.split(':')
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  const groups = [...before, ...zeros, ...after]
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n)
}
