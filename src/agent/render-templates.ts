/** Renders the templates of a configuration, fetching what they ask for until nothing is missing. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { type TemplateConfig } from './config.ts'
import { type Generations } from './holding.ts'
import { NotYet, type SecretSource } from './secret-source.ts'
import { PURE } from './template/functions.ts'
import { parseTemplate } from './template/parse.ts'
import { renderTemplate } from './template/render.ts'
import { TemplateError } from './template/tokens.ts'

/** Names the template, then what is wrong with it. */
export class RenderError extends Error {
  override readonly name = 'RenderError'
  /** A mistake in the template itself, which no other try will mend. */
  readonly final: boolean

  constructor(name: string, cause: unknown) {
    const said = cause instanceof Error ? cause.message : 'it failed'
    super(`${name}: ${said}`, { cause })
    this.final = cause instanceof TemplateError
  }
}

const FETCHES_MAX = 10_000

/** `used`: what is rotated of all that the text was made of. */
export type Rendered = { text: string; used: Generations }

export async function renderOne(
  template: TemplateConfig,
  source: Pick<SecretSource, 'functions' | 'noting' | 'fetch'>,
): Promise<Rendered> {
  const { left, right, errorOnMissingKey } = template
  try {
    const text = template.contents ?? (await readFile(template.source!, 'utf8'))
    const parsed = parseTemplate(text, {
      delimiters: { left, right },
      functions: new Set(Object.keys({ ...PURE, ...source.functions })),
    })
    for (let fetches = 0; fetches < FETCHES_MAX; fetches++) {
      const { functions: reading, used } = source.noting()
      const functions = { ...PURE, ...reading }
      try {
        return { text: renderTemplate(parsed, { functions, errorOnMissingKey }), used }
      } catch (error) {
        if (!(error instanceof NotYet)) throw error
        await source.fetch(error.key)
      }
    }
    throw new TemplateError(1, 'it asks for too many secrets')
  } catch (error) {
    throw new RenderError(template.source ?? `the template for ${template.destination}`, error)
  }
}

/** Runs the command of a template. It gets our environment, which holds no secret of ours. */
export async function runCommand(
  { command, timeoutSeconds }: Pick<TemplateConfig, 'command' | 'timeoutSeconds'>,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const [file, ...args] = command ?? []
  if (file === undefined) return undefined
  const child = spawn(file, args, { env, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((done) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      done(`did not end within ${timeoutSeconds}s and was killed`)
    }, timeoutSeconds * 1000)
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      done(`could not be started (${error.code ?? 'unknown'})`)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      done(code === 0 ? undefined : `ended with ${code ?? signal}`)
    })
  })
}
