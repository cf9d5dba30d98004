import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { base32, hotp, matchingStep, type TotpAlgorithm, totpStep } from './totp.ts'

const key = (bytes: number) => Buffer.from('1234567890'.repeat(7).slice(0, bytes))

test('hotp() gives the codes of RFC 4226, appendix D', () => {
  const codes = [755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489]
  const rules = { algorithm: 'SHA1', digits: 6 } as const
  deepEqual(
    codes.map((_, counter) => hotp(key(20), counter, rules)),
    codes.map(String),
  )
})

test('hotp() of a time step gives the codes of RFC 6238, appendix B', () => {
  const vectors: [seconds: number, ...codes: string[]][] = [
    [59, '94287082', '46119246', '90693936'],
    [1111111109, '07081804', '68084774', '25091201'],
    [1111111111, '14050471', '67062674', '99943326'],
    [1234567890, '89005924', '91819424', '93441116'],
    [2000000000, '69279037', '90698825', '38618901'],
    [20000000000, '65353130', '77737706', '47863826'],
  ]
  const algorithms: [TotpAlgorithm, number][] = [
    ['SHA1', 20],
    ['SHA256', 32],
    ['SHA512', 64],
  ]
  for (const [seconds, ...codes] of vectors) {
    for (const [i, [algorithm, bytes]] of algorithms.entries()) {
      const rules = { algorithm, digits: 8, periodSeconds: 30 }
      equal(hotp(key(bytes), totpStep(seconds * 1000, rules), rules), codes[i])
    }
  }
})

test('matchingStep() finds a code within the skew, and none beside it', () => {
  const rules = { algorithm: 'SHA1', digits: 6, periodSeconds: 30, now: 300_000 } as const
  const at = (step: number) => hotp(key(20), step, rules)
  for (const [step, skew, found] of [
    [10, 0, 10],
    [9, 0, undefined],
    [11, 0, undefined],
    [9, 1, 9],
    [11, 1, 11],
    [8, 1, undefined],
    [12, 1, undefined],
  ] as const) {
    equal(matchingStep(key(20), at(step), { ...rules, skew }), found, `${step} ${skew}`)
  }
  for (const code of ['', at(10).slice(1), `${at(10)}0`, ` ${at(10)}`, '０'.repeat(6)]) {
    equal(matchingStep(key(20), code, { ...rules, skew: 1 }), undefined)
  }
})

test('base32() gives the texts of RFC 4648, section 10, without padding', () => {
  for (const [plain, text] of [
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ] as const) {
    equal(base32(Buffer.from(plain)), text)
  }
})
