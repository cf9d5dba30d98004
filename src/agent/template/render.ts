/**
 * Renders a parsed template. Pure and in one go: what has to be fetched is asked of the functions it
 * is given, which throw when they do not have it yet, and the caller renders again.
 */
import { type Value, isMap, isTrue, printed } from './value.ts'
import {
  type Block,
  type Command,
  type Node,
  type Pipe,
  type Template,
  type Term,
} from './parse.ts'
import { TemplateError } from './tokens.ts'

export type Functions = Readonly<Record<string, (...args: Value[]) => Value>>
export type RenderOptions = {
  readonly functions: Functions
  /** A key that is not in a map is an error and not `<no value>`. */
  readonly errorOnMissingKey: boolean
}

/** What a function cannot do; the line is added on the way out. The text tells no value. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError'
}

const OUTPUT_CHARS_MAX = 16 * 1024 * 1024
const DEPTH_MAX = 100

export function renderTemplate(template: Template, options: RenderOptions): string {
  const state: State = { ...options, template, out: [], length: 0, depth: 0 }
  walk(state, template.nodes, { dot: {}, variables: new Map([['$', { value: {} }]]) })
  return state.out.join('')
}

type State = RenderOptions & { template: Template; out: string[]; length: number; depth: number }
/** A block sees the variables around it; those it makes itself end with it. */
type Scope = { readonly dot: Value; readonly variables: Map<string, { value: Value }> }
type Flow = 'break' | 'continue' | undefined

function walk(state: State, nodes: readonly Node[], scope: Scope): Flow {
  for (const node of nodes) {
    const flow = step(state, node, scope)
    if (flow) return flow
  }
  return undefined
}

function step(state: State, node: Node, scope: Scope): Flow {
  switch (node.kind) {
    case 'text':
      return emit(state, node.text)
    case 'print': {
      const value = evaluate(state, node.pipe, scope)
      if (node.pipe.variables.length > 0) return undefined
      return emit(state, printed(value))
    }
    case 'break':
    case 'continue':
      return node.kind
    case 'if':
    case 'with': {
      const inner = inside(scope)
      const value = evaluate(state, node.pipe, inner)
      const yes = isTrue(value)
      const dot = yes && node.kind === 'with' ? value : scope.dot
      return walk(state, yes ? node.body : node.other, { ...inner, dot })
    }
    case 'range':
      return range(state, node, scope)
    case 'template': {
      const nodes = state.template.defined.get(node.name)
      if (!nodes) throw new TemplateError(node.line, `there is no template "${node.name}"`)
      if (++state.depth > DEPTH_MAX)
        throw new TemplateError(node.line, 'templates call each other too deep')
      const dot = node.pipe ? evaluate(state, node.pipe, scope) : null
      walk(state, nodes, { dot, variables: new Map([['$', { value: dot }]]) })
      state.depth--
      return undefined
    }
    default:
      return node satisfies never
  }
}

function emit(state: State, text: string): undefined {
  state.length += text.length
  if (state.length > OUTPUT_CHARS_MAX)
    throw new TemplateError(1, 'the output is larger than 16 MiB')
  state.out.push(text)
}

const inside = ({ dot, variables }: Scope): Scope => ({ dot, variables: new Map(variables) })

function range(state: State, node: Block, scope: Scope): Flow {
  const { pipe } = node
  const value = evaluate(state, { ...pipe, variables: [] }, scope)
  const entries = entriesOf(value, pipe.line)
  if (entries.length === 0) return walk(state, node.other, inside(scope))
  for (const [key, each] of entries) {
    const inner = inside({ ...scope, dot: each })
    const [first, second] = pipe.variables
    if (second !== undefined) inner.variables.set(second, { value: each })
    if (first !== undefined)
      inner.variables.set(first, { value: second === undefined ? each : key })
    if (walk(state, node.body, inner) === 'break') break
  }
  return undefined
}

function entriesOf(value: Value, line: number): [Value, Value][] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return value.map((each, i) => [i, each])
  if (isMap(value))
    return Object.keys(value)
      .sort()
      .map((key) => [key, value[key]!])
  if (typeof value === 'number' && Number.isSafeInteger(value) && value <= 100_000) {
    return Array.from({ length: Math.max(0, value) }, (_none, i) => [i, i])
  }
  throw new TemplateError(line, 'range needs a list, a map or a whole number')
}

function evaluate(state: State, pipe: Pipe, scope: Scope): Value {
  let value: Value
  for (const [i, command] of pipe.commands.entries()) {
    value = run(state, command, { scope, line: pipe.line, piped: i === 0 ? [] : [value] })
  }
  for (const name of pipe.variables) {
    const held = scope.variables.get(name)
    if (!pipe.assigns) scope.variables.set(name, { value })
    else if (held) held.value = value
    else throw new TemplateError(pipe.line, `there is no variable ${name}`)
  }
  return value
}

type Place = { scope: Scope; line: number; piped: readonly Value[] }

function run(state: State, [first, ...rest]: Command, { scope, line, piped }: Place): Value {
  if (first.of.kind !== 'call') {
    if (rest.length + piped.length > 0) throw new TemplateError(line, 'a value cannot be called')
    return termValue(state, first, scope, line)
  }
  return call(state, first.of.name, { scope, line, piped, args: rest })
}

type Call = Place & { args: readonly Term[] }

function call(state: State, name: string, { scope, line, piped, args }: Call): Value {
  const value = (term: Term) => termValue(state, term, scope, line)
  if (name === 'and' || name === 'or') {
    // These two look at no more than they need.
    let last: Value = piped[0]
    for (const term of args) {
      last = value(term)
      if (isTrue(last) === (name === 'or')) return last
    }
    return piped.length > 0 ? piped[0] : last
  }
  try {
    return state.functions[name]!(...args.map(value), ...piped)
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error
    throw new TemplateError(line, `${name}: ${error.message}`)
  }
}

function termValue(state: State, { of, fields }: Term, scope: Scope, line: number): Value {
  let value: Value
  switch (of.kind) {
    case 'value':
      value = of.value
      break
    case 'dot':
      value = scope.dot
      break
    case 'variable': {
      const held = scope.variables.get(of.name)
      if (!held) throw new TemplateError(line, `there is no variable ${of.name}`)
      ;({ value } = held)
      break
    }
    case 'call':
      value = call(state, of.name, { scope, line, piped: [], args: [] })
      break
    case 'pipe':
      value = evaluate(state, of.pipe, inside(scope))
      break
    default:
      return of satisfies never
  }
  for (const field of fields) value = fieldOf(state, value, field, line)
  return value
}

function fieldOf({ errorOnMissingKey }: State, value: Value, field: string, line: number): Value {
  if (value === null || value === undefined) {
    throw new TemplateError(line, `there is nothing to take the field "${field}" of`)
  }
  if (!isMap(value)) throw new TemplateError(line, `a ${typeof value} has no field "${field}"`)
  if (Object.hasOwn(value, field)) return value[field]
  if (errorOnMissingKey) throw new TemplateError(line, `there is no key "${field}"`)
  return undefined
}
