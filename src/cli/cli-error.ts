/**
 * The one error the CLI prints on purpose: the text for people, the exit code for scripts, and a
 * hint where the next step is known. Anything else that is thrown is a defect and says so.
 */
export class CliError extends Error {
  override readonly name = 'CliError'
  /** 1: wrong here (flags, files, arguments). 2: the server refused or could not be reached. */
  readonly exit: number
  readonly hint: string | undefined

  constructor(message: string, options: ErrorOptions & { exit?: number; hint?: string } = {}) {
    super(message, options)
    this.exit = options.exit ?? 1
    this.hint = options.hint
  }
}

/** Thrown to end a command early with text and success: `-output-curl-string` and its like. */
export class PrintedInstead extends Error {
  override readonly name = 'PrintedInstead'
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
