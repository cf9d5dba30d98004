/**
 * The kinds of values a configuration key can hold: what is accepted, what comes out, and the
 * words that tell a person what was expected. HCL and JSON are loose in the same ways as Vault's
 * (`"true"`, `1` and `true` are one), so each kind takes every spelling.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { parseCidr } from '../lib/cidr.ts'
import { parseDurationSeconds } from '../lib/duration.ts'
import { type HclValue, isHclObject } from '../lib/hcl.ts'
import { parseBool } from '../schema/field.ts'

export type Kind<T> = {
  /** The one word of the reference table. */
  readonly name: string
  readonly expected: string
  /** Throws BadValue; any other error means BadValue too. */
  parse(value: HclValue): T
}

/** The value does not fit. `wrong` and `expected` are for cases the kind's own words do not meet. */
export class BadValue extends Error {
  override readonly name = 'BadValue'
  readonly wrong: string | undefined
  readonly expected: string | undefined

  constructor(wrong?: string, expected?: string) {
    super(wrong ?? 'wrong value')
    this.wrong = wrong
    this.expected = expected
  }
}

export function typeName(value: HclValue): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a block' : `a ${typeof value}`
}

function asText(value: HclValue): string {
  if (typeof value !== 'string' || value.includes('\0')) throw new BadValue()
  return value
}

export const text: Kind<string> = { name: 'string', expected: 'a string', parse: asText }

/** Comes out absolute: relative to the directory the server was started in, as in Vault. */
export const path: Kind<string> = {
  name: 'path',
  expected: 'a path',
  parse: (value) => resolve(asText(value)),
}

export const bool: Kind<boolean> = {
  name: 'bool',
  expected: 'true or false',
  parse: (value) => (typeof value === 'object' ? bad() : parseBool(value)),
}

function bad(): never {
  throw new BadValue()
}

export function integer(min: number, max: number): Kind<number> {
  return {
    name: 'number',
    expected: `a whole number from ${min} to ${max}`,
    parse(value) {
      const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
      if (typeof number !== 'number' || !Number.isSafeInteger(number)) return bad()
      return number >= min && number <= max ? number : bad()
    },
  }
}

/** Whole seconds out of `90`, `"90s"`, `"1h30m"`, `"7d"`. */
export function duration(minSeconds: number): Kind<number> {
  const atLeast = minSeconds > 0 ? `, at least ${minSeconds}s` : ''
  return {
    name: 'duration',
    expected: `a duration: whole seconds, or a text such as "90s", "1h30m" or "7d"${atLeast}`,
    parse(value) {
      const seconds = parseDurationSeconds(value)
      return seconds >= minSeconds ? seconds : bad()
    },
  }
}

/** `words` maps every accepted spelling to what it means. */
export function oneOf<T extends string>(words: Readonly<Record<string, T>>): Kind<T> {
  const meanings = [...new Set(Object.values(words))].map((word) => `"${word}"`)
  return {
    name: 'string',
    expected: meanings.length === 1 ? String(meanings[0]) : `one of ${meanings.join(', ')}`,
    parse(value) {
      const word = asText(value).toLowerCase()
      const meaning = Object.hasOwn(words, word) ? words[word] : undefined
      return meaning ?? bad()
    },
  }
}

/** A list of strings, or one string with commas between; blanks around and empty parts go. */
export function list<T>(expected: string, each: (part: string) => T): Kind<T[]> {
  return {
    name: 'list',
    expected,
    parse(value) {
      const parts = Array.isArray(value) ? value.map(asText) : asText(value).split(',')
      return parts
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map(each)
    },
  }
}

export const addressBlocks = list(
  'a list of IP addresses or blocks such as ["10.0.0.0/8", "::1"]',
  (part) => parseCidr(part).text,
)

/** The full address others are told: a URL without name, password, query or fragment. */
export const url: Kind<string> = {
  name: 'URL',
  expected: 'a URL such as "https://vault.example.com:8200"',
  parse(value) {
    const given = asText(value)
    refuseTemplate(given)
    const { protocol, username, password, search, hash } = new URL(given)
    const plain = username + password + search + hash === ''
    return plain && /^https?:$/.test(protocol) && /^https?:\/\//i.test(given) ? given : bad()
  },
}

function refuseTemplate(given: string): void {
  if (!given.includes('{{')) return
  throw new BadValue('is an address template, which is not evaluated here', 'the address itself')
}

export type HostPort = { host: string; port: number }

const HOST_PORT = /^(?:\[([^\]]+)\]|([^:[\]]*)):(0|[1-9]\d{0,4})$/
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_-]+)*\.?$/i

/** `:8200` has the host `''`: every address of the machine. Port 0 lets the system choose. */
export const hostPort: Kind<HostPort> = {
  name: 'host:port',
  expected: 'host:port, such as "127.0.0.1:8200", "[::1]:8200" or ":8200"',
  parse(value) {
    const given = asText(value)
    refuseTemplate(given)
    const [, six, host = '', digits] = HOST_PORT.exec(given) ?? []
    const port = Number(digits)
    if (digits === undefined || port > 65_535) return bad()
    if (six !== undefined) return isIPv6(six) ? { host: six, port } : bad()
    const named = /^[\d.]+$/.test(host) ? isIPv4(host) : HOST_NAME.test(host)
    return named || host === '' ? { host, port } : bad()
  },
}

/** A block or map of plain values, all of which come out as strings. */
export const stringMap: Kind<Record<string, string>> = {
  name: 'map',
  expected: 'a block or map of strings, such as options { file_path = "/var/log/audit.log" }',
  parse(value) {
    if (!isHclObject(value)) return bad()
    const map: Record<string, string> = Object.create(null)
    for (const { key, labels, value: each } of value.items) {
      if (labels.length > 0 || typeof each === 'object' || key in map) return bad()
      map[key] = String(each)
    }
    return { ...map }
  },
}
