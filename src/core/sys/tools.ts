/** Random bytes and hashes for callers that have no good ones at hand. */
import { createHash } from 'node:crypto'
import { type Call } from '../../kit/call.ts'
import { refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { t } from '../../schema/field.ts'

export function toolsEndpoints(): Endpoint[] {
  return [...randomEndpoints(), ...hashEndpoints()]
}

const BYTES_MAX = 131_072
const SOURCES = new Set(['platform', 'seal', 'all'])

const encoding = (fallback: 'hex' | 'base64') =>
  t.string({ help: '"hex" or "base64".', default: fallback, clear: true })

function checkFormat(format: string): 'hex' | 'base64' {
  if (format === 'hex' || format === 'base64') return format
  return refuse(`unsupported encoding format ${format}; must be "hex" or "base64"`)
}

function randomEndpoints(): Endpoint[] {
  const help = 'Random bytes from this server.'
  const fields = {
    bytes: t.int({ help: 'How many.', default: 32, clear: true }),
    format: encoding('base64'),
    source: t.string({ help: 'All sources are the one of this system.', clear: true }),
  }
  type RandomCall = Call<{ bytes: number; format: string; source: string | undefined }>

  function random(call: RandomCall, bytes = call.data.bytes, source = call.data.source ?? '') {
    const format = checkFormat(call.data.format)
    if (source !== '' && !SOURCES.has(source)) {
      refuse(`unsupported entropy source ${JSON.stringify(source)}; must be platform, seal or all`)
    }
    if (bytes < 1) refuse('"bytes" cannot be less than 1')
    if (bytes > BYTES_MAX) refuse(`"bytes" should be less than ${BYTES_MAX}`)
    return { random_bytes: call.random(bytes).toString(format) }
  }

  return [
    endpoint('tools/random', { help, fields, write: (call) => random(call) }),
    endpoint('tools/random/:urlbytes', {
      help,
      fields: { ...fields, urlbytes: t.segment({ help: 'How many, or a source.' }) },
      write: (call) => {
        const { urlbytes } = call.data
        return /^\d+$/.test(urlbytes)
          ? random(call, Number(urlbytes))
          : random(call, undefined, urlbytes)
      },
    }),
    endpoint('tools/random/:source/:urlbytes', {
      help,
      fields: {
        bytes: fields.bytes,
        format: fields.format,
        source: t.segment({ help: 'platform, seal or all; they are one.' }),
        urlbytes: t.segment({ help: 'How many.' }),
      },
      write: (call) => {
        const { urlbytes, source } = call.data
        if (!/^\d+$/.test(urlbytes)) refuse('"bytes" must be a whole number')
        return random(call, Number(urlbytes), source)
      },
    }),
  ]
}

const ALGORITHMS: Readonly<Record<string, string>> = {
  'sha2-224': 'sha224',
  'sha2-256': 'sha256',
  'sha2-384': 'sha384',
  'sha2-512': 'sha512',
  'sha3-224': 'sha3-224',
  'sha3-256': 'sha3-256',
  'sha3-384': 'sha3-384',
  'sha3-512': 'sha3-512',
}

function hashEndpoints(): Endpoint[] {
  const help = 'The hash of data that the caller brings along.'
  const fields = {
    input: t.string({ help: 'The data, in base64.', sensitive: true }),
    algorithm: t.string({ help: 'sha2-224 to sha3-512.', default: 'sha2-256', clear: true }),
    format: encoding('hex'),
  }
  type HashCall = Call<{ input: string | undefined; algorithm: string; format: string }>

  function hash({ data }: HashCall, algorithm: string) {
    const format = checkFormat(data.format)
    const name = Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined
    if (name === undefined) refuse(`unsupported algorithm ${algorithm}`)
    const input = Buffer.from(data.input ?? '', 'base64')
    // Node skips what is not base64; whatever it skipped is missing when written out again.
    if (input.toString('base64') !== (data.input ?? '')) {
      refuse('unable to decode input as base64: not standard base64 with its padding')
    }
    const sum = createHash(name).update(input).digest(format)
    return { sum }
  }

  return [
    endpoint('tools/hash', {
      help,
      fields,
      write: (call) => hash(call, call.data.algorithm),
    }),
    endpoint('tools/hash/:urlalgorithm', {
      help,
      fields: { ...fields, urlalgorithm: t.segment({ help: 'The algorithm.' }) },
      write: (call) => hash(call, call.data.urlalgorithm),
    }),
  ]
}
