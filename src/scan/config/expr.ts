/**
 * The expressions of betterleaks' configuration, as far as they are about what was found: which of it is
 * none. True means that it is left out. What is not here (tokenizers, requests, bindings) is refused by
 * its name, for a filter that is half understood hides what it should not.
 *
 *   filter.matchesAny(finding["secret"], [`^test_`]) || entropy(finding["secret"]) < 3.5
 *   get(attributes, "path", "") in ["a", "b"] && !containsAny(finding["line"], ["example"])
 */
import { entropy } from '../../rules/value.ts'
import { guarded } from './guard.ts'
import { fromRe2, PatternRefused } from './re2.ts'

export type Facts = {
  readonly secret: string
  readonly match: string
  readonly line: string
  readonly path: string
  readonly commit: string
  readonly rule: string
}
export type Test = (facts: Facts) => boolean

type Value = string | number | boolean | readonly string[]
type Term = (facts: Facts) => Value
type Token = { readonly kind: 'name' | 'text' | 'number' | 'sign'; readonly text: string }

const LENGTH_MAX = 200_000
const DEPTH_MAX = 50
const TOKEN =
  /\s*(?:\/\/[^\n]*|(r?"""[^]*?"""|r?'''[^]*?'''|`[^`]*`|r"[^"\n]*"|r'[^'\n]*'|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(\d+(?:\.\d+)?)|([A-Za-z_][\w.]*)|(\|\||&&|[<>=!]=|[<>!()[\],]))/y

/** The names of what a finding has; a name that is not here is refused. */
const FACTS: Readonly<Record<string, keyof Facts>> = {
  'finding.secret': 'secret',
  'finding.match': 'match',
  'finding.line': 'line',
  'finding.rule_id': 'rule',
  'attributes.path': 'path',
  'attributes.git.sha': 'commit',
}

/** Throws a PatternRefused. */
export function readExpr(text: string): Test {
  if (text.length > LENGTH_MAX) throw new PatternRefused('the expression is too long')
  const term = new Parser(tokensOf(text)).whole()
  return (facts) => term(facts) === true
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; /\S/.test(text.slice(at, at + 1000)) || at + 1000 < text.length;) {
    TOKEN.lastIndex = at
    const found = TOKEN.exec(text)
    if (!found) throw new PatternRefused(`the expression has something unknown at ${at + 1}`)
    at = TOKEN.lastIndex
    const [, quoted, number, name, sign] = found
    if (quoted !== undefined) tokens.push({ kind: 'text', text: unquoted(quoted) })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else if (name !== undefined) tokens.push({ kind: 'name', text: name.replace(/^filter\./, '') })
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign })
  }
  return tokens
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

function unquoted(text: string): string {
  const raw = text.startsWith('r') || text.startsWith('`')
  const [, quote] = /^r?("""|'''|["'`])/.exec(text)!
  const inner = text.slice(text.indexOf(quote!) + quote!.length, -quote!.length)
  return raw ? inner : inner.replaceAll(/\\([^])/g, (_, char: string) => ESCAPES[char] ?? char)
}

class Parser {
  #at = 0
  #depth = 0
  readonly #tokens: readonly Token[]

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Term {
    const term = this.#either()
    if (this.#at < this.#tokens.length)
      throw new PatternRefused(`the expression goes on with ${this.#next}`)
    return term
  }

  get #next(): string {
    return this.#tokens[this.#at]?.text ?? 'nothing'
  }

  #is(...signs: readonly string[]): string | undefined {
    const token = this.#tokens[this.#at]
    if (token === undefined || token.kind === 'text' || !signs.includes(token.text))
      return undefined
    this.#at++
    return token.text
  }

  #must(sign: string): void {
    if (!this.#is(sign))
      throw new PatternRefused(`the expression lacks ${sign} before ${this.#next}`)
  }

  #either(): Term {
    if (++this.#depth > DEPTH_MAX) throw new PatternRefused('the expression is nested too deeply')
    let left = this.#both()
    while (this.#is('||', 'or')) {
      const [a, b] = [left, this.#both()]
      left = (facts) => a(facts) === true || b(facts) === true
    }
    this.#depth--
    return left
  }

  #both(): Term {
    let left = this.#compared()
    while (this.#is('&&', 'and')) {
      const [a, b] = [left, this.#compared()]
      left = (facts) => a(facts) === true && b(facts) === true
    }
    return left
  }

  #compared(): Term {
    const left = this.#single()
    const sign = this.#is('==', '!=', '<=', '>=', '<', '>', 'in')
    if (sign === undefined) return left
    const right = this.#single()
    return (facts) => compare(left(facts), sign, right(facts))
  }

  #single(): Term {
    if (this.#is('!', 'not')) {
      if (++this.#depth > DEPTH_MAX) throw new PatternRefused('the expression is nested too deeply')
      const term = this.#single()
      this.#depth--
      return (facts) => term(facts) !== true
    }
    if (this.#is('(')) {
      const term = this.#either()
      this.#must(')')
      return term
    }
    if (this.#is('[')) {
      const list = this.#list()
      return () => list
    }
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw new PatternRefused('the expression ends too soon')
    const { kind, text } = token
    if (kind === 'text') return () => text
    if (kind === 'number') return () => Number(text)
    if (kind === 'name') return this.#named(text)
    throw new PatternRefused(`the expression has ${text} where a value should be`)
  }

  #list(): readonly string[] {
    const list: string[] = []
    while (!this.#is(']')) {
      const token = this.#tokens[this.#at++]
      if (token?.kind !== 'text')
        throw new PatternRefused('a list in the expression has more than texts')
      list.push(token.text)
      if (!this.#is(',')) {
        this.#must(']')
        break
      }
    }
    return list
  }

  #text(): string {
    const token = this.#tokens[this.#at++]
    if (token?.kind !== 'text') throw new PatternRefused('the expression lacks a text')
    return token.text
  }

  #named(name: string): Term {
    if (name === 'true' || name === 'false') return () => name === 'true'
    if (name === 'finding' || name === 'attributes') {
      this.#must('[')
      const key = this.#text()
      this.#must(']')
      return factOf(`${name}.${key}`)
    }
    if (name === 'get') return this.#get()
    if (name === 'entropy') {
      this.#must('(')
      const of = this.#single()
      this.#must(')')
      return (facts) => entropy(String(of(facts)))
    }
    if (name === 'matchesAny' || name === 'containsAny') {
      this.#must('(')
      const of = this.#single()
      this.#must(',')
      this.#must('[')
      const list = this.#list()
      this.#must(')')
      return name === 'containsAny' ? containsAny(of, list) : matchesAny(of, list)
    }
    if (FACTS[name]) return factOf(name)
    throw new PatternRefused(`the expression uses ${name}`)
  }

  #get(): Term {
    this.#must('(')
    const from = this.#next
    this.#at++
    this.#must(',')
    const key = this.#text()
    if (this.#is(',')) this.#text()
    this.#must(')')
    return factOf(`${from}.${key}`)
  }
}

function factOf(name: string): Term {
  const fact = Object.hasOwn(FACTS, name) ? FACTS[name] : undefined
  if (fact === undefined) throw new PatternRefused(`the expression uses ${name}`)
  return (facts) => facts[fact]
}

function containsAny(of: Term, words: readonly string[]): Term {
  return (facts) => {
    const text = String(of(facts)).toLowerCase()
    return words.some((word) => text.includes(word))
  }
}

function matchesAny(of: Term, patterns: readonly string[]): Term {
  const regexes = patterns.map((pattern) => fromRe2(pattern, ''))
  return (facts) => {
    const text = String(of(facts))
    return regexes.some((regex) => guarded(text.length, () => regex.test(text)))
  }
}

function compare(left: Value, sign: string, right: Value): boolean {
  if (sign === 'in') return Array.isArray(right) && right.includes(left)
  if (sign === '==') return left === right
  if (sign === '!=') return left !== right
  if (typeof left !== 'number' || typeof right !== 'number') return false
  if (sign === '<') return left < right
  if (sign === '>') return left > right
  return sign === '<=' ? left <= right : left >= right
}
