import { equal, throws } from 'node:assert/strict'
import { type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { forwardedAddress, type ForwardedOptions } from './forwarded.ts'

function address(peer: string, header: string | undefined, options: ForwardedOptions = {}): string {
  const headers = header === undefined ? {} : { 'x-forwarded-for': header }
  return forwardedAddress({ headers, socket: { remoteAddress: peer } } as IncomingMessage, options)
}
const trusted: ForwardedOptions = { xForwardedForAuthorizedAddrs: ['10.0.0.0/8'] }
const lenient: ForwardedOptions = {
  ...trusted,
  xForwardedForRejectNotPresent: false,
  xForwardedForRejectNotAuthorized: false,
}

test('forwardedAddress() refuses what does not come through the proxy', () => {
  throws(() => address('10.0.0.1', undefined, trusted), /missing x-forwarded-for/)
  throws(() => address('10.0.0.1', '', trusted), /missing x-forwarded-for/)
  throws(() => address('192.0.2.1', '203.0.113.7', trusted), /not authorized/)
})

test('forwardedAddress() refuses a header without the address that is asked for, unquoted', () => {
  for (const bad of ['CANARY', '1.2.3.4, CANARY', '1.2.3.4:80', '1.2.3', ', ', '::g', '01.2.3.4']) {
    throws(
      () => address('10.0.0.1', bad, trusted),
      (error) => !(error as Error).message.includes('CANARY'),
    )
  }
  const skip = { ...trusted, xForwardedForHopSkips: 2 }
  throws(() => address('10.0.0.1', '203.0.113.7, 198.51.100.2', skip), /no such address/)
})

test('forwardedAddress() believes nobody it was not told to trust', () => {
  equal(address('192.0.2.1', '203.0.113.7'), '192.0.2.1')
  equal(address('192.0.2.1', '203.0.113.7', lenient), '192.0.2.1')
  equal(address('10.0.0.1', undefined, lenient), '10.0.0.1')
})

test('forwardedAddress() counts from the right, past what a client wrote itself', () => {
  equal(address('10.0.0.1', '6.6.6.6, 203.0.113.7', trusted), '203.0.113.7')
  const skip = { ...trusted, xForwardedForHopSkips: 1 }
  equal(address('10.0.0.1', '6.6.6.6,203.0.113.7, 10.0.0.9', skip), '203.0.113.7')
  equal(address('10.0.0.1', '2001:db8::1', trusted), '2001:db8::1')
})

test('forwardedAddress() knows IPv4 in the clothes of IPv6', () => {
  equal(address('::ffff:192.0.2.1', undefined), '192.0.2.1')
  equal(address('::ffff:10.0.0.1', '::ffff:203.0.113.7', trusted), '203.0.113.7')
})
