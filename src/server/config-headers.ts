/** `custom_response_headers` of a listener: headers by the status of the answer. */
import { http } from '../lib/node-http.ts'
import { type HclObject, type HclValue, isHclObject } from '../lib/hcl.ts'
import { BadValue, type Kind } from './config-kinds.ts'

/** `default`, a class (`2xx`) or a status (`404`), to header names, to their values. */
export type ResponseHeaders = Record<string, Record<string, string[]>>

const STATUS = /^(?:default|[1-5]xx|[1-5]\d\d)$/

/** Framing and what the API itself sets: a fixed value there breaks answers, or lies in them. */
const OWN =
  /^(?:x-vault-.*|content-length|content-type|transfer-encoding|connection|cache-control)$/i

export const responseHeaders: Kind<ResponseHeaders> = {
  name: 'map',
  expected: 'maps of headers by status, such as { "default" = { "X-Frame-Options" = ["DENY"] } }',
  parse: (value) => byName(value, STATUS, (headers) => byName(headers, /./, headerValues)),
}

function byName<T>(
  value: HclValue,
  names: RegExp,
  each: (value: HclValue, name: string) => T,
): Record<string, T> {
  const object = asObject(value)
  const found: [string, T][] = []
  for (const item of object.items) {
    const name = item.key
    const twice = found.some(([known]) => known.toLowerCase() === name.toLowerCase())
    if (item.labels.length > 0 || twice || !names.test(name)) throw new BadValue()
    found.push([name, each(item.value, name)])
  }
  return Object.fromEntries(found)
}

function asObject(value: HclValue): HclObject {
  const only = Array.isArray(value) && value.length === 1 ? value[0] : value
  if (only === undefined || !isHclObject(only)) throw new BadValue()
  return only
}

function headerValues(value: HclValue, name: string): string[] {
  if (OWN.test(name)) throw new BadValue('sets a header that the server sets itself')
  const values = (Array.isArray(value) ? value : [value]).map((each) => {
    if (typeof each !== 'string') throw new BadValue()
    return each
  })
  for (const each of values) {
    http.validateHeaderName(name)
    http.validateHeaderValue(name, each)
  }
  if (values.length === 0) throw new BadValue()
  return values
}
