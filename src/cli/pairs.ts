/**
 * Data on the command line: `key=value`, `key=@file`, `key=-` (standard input), `@file` and `-`
 * alone for a whole JSON object. Values never appear in a message: they are secrets more often
 * than not.
 */
import { readFileSync } from 'node:fs'
import { isObject, parseJson } from '../lib/json.ts'
import { CliError } from './cli-error.ts'
import { type Io, readAll } from './io.ts'
import { whyUnreadable } from './unreadable.ts'

type Pair = readonly [key: string, value: unknown]

/** The data of the arguments. A key given twice becomes a list. Numbers of JSON stay exact. */
export async function readPairs(
  words: readonly string[],
  options: { io: Io; interactive: boolean },
): Promise<Record<string, unknown>> {
  const stdin = onceOnly(options)
  const found = new Map<string, unknown>()
  const put = ([key, value]: Pair) => {
    const before = found.get(key)
    if (before === undefined) found.set(key, value)
    else found.set(key, Array.isArray(before) ? [...(before as unknown[]), value] : [before, value])
  }
  for (const [i, word] of words.entries()) {
    for (const pair of await readWord(word, i, stdin)) put(pair)
  }
  return Object.fromEntries(found)
}

/** The same, with every value as text: what `login` and options take. */
export async function readTextPairs(
  words: readonly string[],
  options: { io: Io; interactive: boolean },
): Promise<Record<string, string>> {
  const pairs = await readPairs(words, options)
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  return Object.fromEntries(Object.entries(pairs).map(([key, value]) => [key, text(value)]))
}

async function readWord(
  word: string,
  index: number,
  stdin: () => Promise<string>,
): Promise<Pair[]> {
  const place = `argument ${index + 1}`
  if (word === '-') return Object.entries(jsonObject(await stdin(), 'standard input'))
  if (word.startsWith('@')) return Object.entries(jsonObject(readText(word.slice(1)), 'the file'))
  const equals = word.indexOf('=')
  if (equals < 1) {
    throw new CliError(`Failed to parse K=V data: ${place} must be key=value, @file or -`, {
      hint: 'for example user=shop, password=- from a pipe, cert=@cert.pem, @all.json',
    })
  }
  const key = word.slice(0, equals)
  const value = word.slice(equals + 1)
  if (value === '-') return [[key, await stdin()]]
  if (value.startsWith('@')) return [[key, readText(value.slice(1))]]
  // A backslash says that the @ or the - after it is data.
  if (/^\\[@-]/.test(value)) return [[key, value.slice(1)]]
  return [[key, value]]
}

function onceOnly({ io, interactive }: { io: Io; interactive: boolean }): () => Promise<string> {
  let taken = false
  return async () => {
    if (taken) throw new CliError('Failed to parse K=V data: standard input can be read only once')
    taken = true
    return interactive ? readAll(io.stdin) : ''
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = whyUnreadable(cause)
    throw new CliError(`Failed to parse K=V data: cannot read the file "${path}": ${why}`, {
      cause,
    })
  }
}

function jsonObject(text: string, from: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = parseJson(text)
  } catch {
    // The parser's own message quotes the text.
    throw new CliError(`Failed to parse K=V data: ${from} is not JSON`)
  }
  if (isObject(parsed)) return parsed
  throw new CliError(`Failed to parse K=V data: ${from} is not a JSON object`)
}
