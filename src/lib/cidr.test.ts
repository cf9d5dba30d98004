import { equal, throws } from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { cidrContains, CidrError, cidrSubset, parseCidr } from './cidr.ts'

const refused = [
  ...['', '/', '/8', '10', '10.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08'],
  ...['010.0.0.1', '10.0.0.256', ' 10.0.0.1', '10.0.0.1 ', '10.0.0.1:80', '10.0.0.0/8/8'],
  ...['::/129', ':::', '1::2::3', 'fe80::1%eth0', '[::1]', '::ffff:10.0.0.0/95', 'localhost', '*'],
]

for (const text of refused) {
  test(`parseCidr() refuses '${text}'`, () => {
    throws(() => parseCidr(text), CidrError)
  })
}

const contains: [string, string, boolean][] = [
  ['10.0.0.0/8', '11.0.0.1', false],
  ['10.0.0.0/8', '::1', false],
  ['10.0.0.1', '10.0.0.2', false],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '10.0.0.1', false],
  ['::/0', '::ffff:10.0.0.1', false],
  ['fd00::/8', 'fe00::1', false],
  ['0.0.0.0/0', 'nonsense', false],
  ['0.0.0.0/0', '', false],
  ['0.0.0.0/0', '10.0.0.1/32', false],
  ['::/0', '::/128', false],
  ['10.0.0.0/8', '10.255.255.255', true],
  ['10.9.8.7/8', '10.1.1.1', true],
  ['10.0.0.1', '10.0.0.1', true],
  ['10.0.0.1/32', '::ffff:10.0.0.1', true],
  ['::ffff:10.0.0.0/104', '10.1.2.3', true],
  ['::ffff:a00:1', '10.0.0.1', true],
  ['0.0.0.0/0', '255.255.255.255', true],
  ['128.0.0.0/1', '200.0.0.1', true],
  ['::/0', 'ffff::', true],
  ['fd00::/8', 'fdff::1', true],
  ['fe80::/10', 'fe80::1%eth0', true],
  ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1', true],
  ['::1.2.3.4', '::102:304', true],
  ['1::', '1:0:0:0:0:0:0:0', true],
]

for (const [block, ip, expected] of contains) {
  test(`cidrContains() says ${expected} to ${ip} in ${block}`, () => {
    equal(cidrContains(parseCidr(block), ip), expected)
  })
}

const subsets: [string, string, boolean][] = [
  ['10.0.0.0/8', '10.0.0.0/9', false],
  ['10.0.0.0/9', '11.0.0.0/8', false],
  ['10.0.0.0/8', '::/0', false],
  ['fd00::/8', 'fd00::/9', false],
  ['10.0.0.0/8', '10.0.0.0/8', true],
  ['10.1.0.0/16', '10.0.0.0/8', true],
  ['10.1.2.3', '0.0.0.0/0', true],
  ['::ffff:10.1.2.3', '10.0.0.0/8', true],
  ['fd12::/16', 'fd00::/8', true],
]

for (const [inner, outer, expected] of subsets) {
  test(`cidrSubset() says ${expected} to ${inner} in ${outer}`, () => {
    equal(cidrSubset(parseCidr(inner), parseCidr(outer)), expected)
  })
}

test("cidrContains() agrees with the platform's block list", () => {
  const near = fc.tuple(fc.ipV6(), fc.ipV6(), fc.integer({ min: 1, max: 128 }))
  fc.assert(
    fc.property(near, ([block, other, bits]) => {
      const list = new BlockList()
      list.addSubnet(block, bits, 'ipv6')
      const cidr = parseCidr(`${block}/${cidrBits(block, bits)}`)
      equal(cidrContains(cidr, block), true)
      if (cidr.family === 6 && !/\./.test(other)) {
        equal(cidrContains(cidr, other), list.check(other, 'ipv6'))
      }
    }),
  )
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 1, max: 32 }), (block, other, bits) => {
      const list = new BlockList()
      list.addSubnet(block, bits, 'ipv4')
      equal(cidrContains(parseCidr(`${block}/${bits}`), other), list.check(other, 'ipv4'))
    }),
  )
})

/** A block around a mapped IPv4 address has to be at least as long as the mapping. */
function cidrBits(address: string, bits: number): number {
  return parseCidr(address).family === 4 ? Math.max(bits, 96) : bits
}
