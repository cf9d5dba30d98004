/** `printf` as Go has it, for the verbs that templates use. */
import { FunctionError } from './render.ts'
import { isMap, printed, type Value } from './value.ts'

const VERB = /%([-+ 0#]*)(\d{1,4})?(?:\.(\d{1,3}))?([a-zA-Z%])/g

export function format(form: string, values: readonly Value[]): string {
  let at = 0
  const out = form.replaceAll(
    VERB,
    (_all, flags: string, width = '', precision = '', verb: string) => {
      if (verb === '%') return '%'
      if (at >= values.length) return `%!${verb}(MISSING)`
      const value = values[at++]
      const body = bodyOf(verb, value, { flags, precision })
      return padded(body, { flags, width: Number(width), numeric: typeof value === 'number' })
    },
  )
  if (at < values.length) throw new FunctionError('there are more values than places for them')
  return out
}

type Options = { flags: string; precision: string }

function bodyOf(verb: string, value: Value, { flags, precision }: Options): string {
  const sign = flags.includes('+') && typeof value === 'number' && value >= 0 ? '+' : ''
  switch (verb) {
    case 's':
    case 'v': {
      const text = value === null || value === undefined ? '<nil>' : printed(value)
      return precision === '' || verb === 'v'
        ? text
        : Array.from(text).slice(0, Number(precision)).join('')
    }
    case 'q':
      return JSON.stringify(printed(value))
    case 'd':
      if (typeof value === 'bigint' || Number.isSafeInteger(value))
        return `${sign}${value as number}`
      break
    case 't':
      if (typeof value === 'boolean') return String(value)
      break
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string'
          ? Buffer.from(value).toString('hex')
          : Number.isSafeInteger(value)
            ? (value as number).toString(16)
            : undefined
      if (hex !== undefined) return verb === 'X' ? hex.toUpperCase() : hex
      break
    }
    case 'c':
      if (Number.isSafeInteger(value)) return String.fromCodePoint(value as number)
      break
    case 'f':
      if (typeof value === 'number')
        return sign + value.toFixed(precision === '' ? 6 : Number(precision))
      break
    case 'g':
      if (typeof value === 'number') return sign + String(value)
      break
    default:
      throw new FunctionError(`there is no verb %${verb}`)
  }
  throw new FunctionError(`%${verb} does not fit ${isMap(value) ? 'a map' : `a ${typeof value}`}`)
}

type Pad = { flags: string; width: number; numeric: boolean }

function padded(text: string, { flags, width, numeric }: Pad): string {
  if (flags.includes('-')) return text.padEnd(width)
  if (!flags.includes('0') || !numeric) return text.padStart(width)
  const sign = /^[+-]/.exec(text)?.[0] ?? ''
  return sign + text.slice(sign.length).padStart(width - sign.length, '0')
}
