/** Makes a tree of a template. Everything that can be wrong with its form is found here, once. */
import { cutTemplate, type Delimiters, type Piece, TemplateError, type Word } from './tokens.ts'

export type Operand =
  | { readonly kind: 'value'; readonly value: string | number | boolean | null }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }
/** An operand and the fields behind it: `$x.a.b`. */
export type Term = { readonly of: Operand; readonly fields: readonly string[] }
/** What is called, or is a value, and what it is called with. */
export type Command = readonly [Term, ...Term[]]
export type Pipe = {
  readonly commands: readonly Command[]
  readonly variables: readonly string[]
  readonly assigns: boolean
  readonly line: number
}
export type Block = {
  readonly pipe: Pipe
  readonly body: readonly Node[]
  /** What is behind the else. */
  readonly other: readonly Node[]
}
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipe: Pipe }
  | ({ readonly kind: 'if' | 'with' } & Block)
  | ({ readonly kind: 'range' } & Block)
  | { readonly kind: 'break' | 'continue' }
  | {
      readonly kind: 'template'
      readonly name: string
      readonly pipe: Pipe | undefined
      readonly line: number
    }

export type Template = {
  readonly nodes: readonly Node[]
  readonly defined: ReadonlyMap<string, readonly Node[]>
}

const DEPTH_MAX = 100

/** Throws TemplateError. `functions` are the names that may be called. */
export function parseTemplate(
  source: string,
  options: { delimiters: Delimiters; functions: ReadonlySet<string> },
): Template {
  const pieces = cutTemplate(source, options.delimiters)
  const reader: Reader = { ...options, pieces, at: 0, depth: 0, loops: 0, defined: new Map() }
  const { nodes, ended } = readNodes(reader)
  if (ended) throw new TemplateError(ended.line, `found ${ended.word} that closes nothing`)
  return { nodes, defined: reader.defined }
}

type Reader = {
  readonly pieces: readonly Piece[]
  readonly functions: ReadonlySet<string>
  readonly defined: Map<string, readonly Node[]>
  at: number
  depth: number
  loops: number
}
type Ended = { word: 'end' | 'else'; rest: readonly Word[]; line: number }

function readNodes(r: Reader): { nodes: Node[]; ended?: Ended } {
  const nodes: Node[] = []
  for (; r.at < r.pieces.length;) {
    const piece = r.pieces[r.at++]!
    if (piece.kind === 'text') {
      nodes.push(piece)
      continue
    }
    const { words, line } = piece
    const [first, ...rest] = words
    const key = first?.kind === 'name' ? first.value : ''
    if (key === 'end' || key === 'else') return { nodes, ended: { word: key, rest, line } }
    const node = readAction(r, { key, words, rest, line })
    if (node) nodes.push(node)
  }
  return { nodes }
}

type Action = { key: string; words: readonly Word[]; rest: readonly Word[]; line: number }

function readAction(r: Reader, { key, words, rest, line }: Action): Node | undefined {
  switch (key) {
    case 'if':
    case 'with':
    case 'range':
      return readBlock(r, key, rest, line)
    case 'break':
    case 'continue':
      if (r.loops === 0) throw new TemplateError(line, `${key} stands outside of a range`)
      return { kind: key }
    case 'define':
    case 'block': {
      const [name, ...more] = rest
      if (name?.kind !== 'text') throw new TemplateError(line, `expected a name after ${key}`)
      r.defined.set(name.value, readBody(r, line))
      if (key === 'define') return undefined
      return { kind: 'template', name: name.value, pipe: readPipe(r, more, line), line }
    }
    case 'template': {
      const [name, ...more] = rest
      if (name?.kind !== 'text') throw new TemplateError(line, 'expected a name after template')
      const pipe = more.length === 0 ? undefined : readPipe(r, more, line)
      return { kind: 'template', name: name.value, pipe, line }
    }
    default:
      return { kind: 'print', pipe: readPipe(r, words, line) }
  }
}

function readBody(r: Reader, line: number): Node[] {
  const loops = r.loops
  r.loops = 0
  const { nodes, ended } = nested(r, line, () => readNodes(r))
  r.loops = loops
  if (ended?.word !== 'end') throw new TemplateError(line, 'expected an end')
  return nodes
}

function nested<T>(r: Reader, line: number, read: () => T): T {
  if (++r.depth > DEPTH_MAX) throw new TemplateError(line, 'nested too deep')
  const value = read()
  r.depth--
  return value
}

function readBlock(
  r: Reader,
  kind: 'if' | 'with' | 'range',
  words: readonly Word[],
  line: number,
): Node {
  const pipe = readPipe(r, words, line)
  if (kind === 'range') r.loops++
  const { nodes: body, ended } = nested(r, line, () => readNodes(r))
  if (kind === 'range') r.loops--
  if (!ended) throw new TemplateError(line, `expected an end for ${kind}`)
  if (ended.word === 'end') return { kind, pipe, body, other: [] }
  const [next, ...rest] = ended.rest
  if (next?.kind === 'name' && (next.value === 'if' || next.value === 'with') && kind !== 'range') {
    // `else if` shares the end of the block it belongs to.
    return {
      kind,
      pipe,
      body,
      other: [nested(r, line, () => readBlock(r, next.value as 'if', rest, ended.line))],
    }
  }
  if (next) throw new TemplateError(ended.line, 'expected nothing, or an if, after else')
  return { kind, pipe, body, other: readOther(r, line) }
}

function readOther(r: Reader, line: number): Node[] {
  const { nodes, ended } = nested(r, line, () => readNodes(r))
  if (ended?.word !== 'end') throw new TemplateError(line, 'expected an end after else')
  return nodes
}

const isSign = (word: Word | undefined, value: string) =>
  word?.kind === 'sign' && word.value === value

function readPipe(r: Reader, given: readonly Word[], line: number): Pipe {
  const { variables, assigns, rest } = declared(given, line)
  const words: Cursor = { words: rest, at: 0 }
  const commands = readCommands(r, words, line)
  if (words.at < rest.length) throw new TemplateError(line, 'found ) that closes nothing')
  return { commands, variables, assigns, line }
}

/** `$x := `, `$x = ` and, for a range, `$key, $value := `. */
function declared(words: readonly Word[], line: number) {
  const variables: string[] = []
  let at = 0
  for (; words[at]?.kind === 'variable'; at++) {
    variables.push((words[at] as { value: string }).value)
    if (!isSign(words[at + 1], ',')) break
    at++
  }
  const sign = words[at + 1]
  const assigns = isSign(sign, '=')
  if (variables.length > 0 && (assigns || isSign(sign, ':='))) {
    if (variables.length > 2) throw new TemplateError(line, 'too many variables')
    return { variables, assigns, rest: words.slice(at + 2) }
  }
  return { variables: [], assigns: false, rest: words }
}

type Cursor = { readonly words: readonly Word[]; at: number }

function readCommands(r: Reader, c: Cursor, line: number): Command[] {
  const commands: Command[] = []
  for (;;) {
    const terms: Term[] = []
    while (c.at < c.words.length && !isSign(c.words[c.at], '|') && !isSign(c.words[c.at], ')')) {
      terms.push(readTerm(r, c, line))
    }
    const [first, ...rest] = terms
    if (!first) throw new TemplateError(line, 'expected a value or a function')
    commands.push([first, ...rest])
    if (!isSign(c.words[c.at], '|')) return commands
    c.at++
  }
}

function readTerm(r: Reader, c: Cursor, line: number): Term {
  const word = c.words[c.at++]!
  let fields = word.kind === 'field' ? word.value : []
  const of = readOperand(r, c, word, line)
  const next = c.words[c.at]
  if (next?.kind === 'chain') {
    c.at++
    fields = [...fields, ...next.value]
  }
  return { of, fields }
}

function readOperand(r: Reader, c: Cursor, word: Word, line: number): Operand {
  switch (word.kind) {
    case 'text':
    case 'number':
      return { kind: 'value', value: word.value }
    case 'field':
      return { kind: 'dot' }
    case 'variable':
      return { kind: 'variable', name: word.value }
    case 'name':
      if (word.value === 'true' || word.value === 'false') {
        return { kind: 'value', value: word.value === 'true' }
      }
      if (word.value === 'nil') return { kind: 'value', value: null }
      if (r.functions.has(word.value)) return { kind: 'call', name: word.value }
      throw new TemplateError(line, `there is no function "${word.value}"`)
    case 'sign':
      if (word.value === '(') {
        const commands = nested(r, line, () => readCommands(r, c, line))
        if (!isSign(c.words[c.at], ')')) throw new TemplateError(line, 'expected )')
        c.at++
        return { kind: 'pipe', pipe: { commands, variables: [], assigns: false, line } }
      }
      throw new TemplateError(line, 'expected a value or a function')
    case 'chain':
      throw new TemplateError(line, 'expected a value or a function')
    default:
      return word satisfies never
  }
}
