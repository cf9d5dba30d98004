/**
 * The world as the CLI sees it: streams, environment, home. Tests hand in their own, and read what
 * was printed.
 */
import { homedir } from 'node:os'
import type { Readable } from 'node:stream'

export type Env = Readonly<Record<string, string | undefined>>

export type Sink = {
  write(text: string | Uint8Array): unknown
  readonly isTTY?: boolean | undefined
}

export type Io = {
  readonly env: Env
  readonly stdin: Readable & {
    readonly isTTY?: boolean | undefined
    setRawMode?(on: boolean): unknown
  }
  readonly stdout: Sink
  readonly stderr: Sink
  readonly home: string
}

export function processIo(): Io {
  const { env, stdout } = process
  // A reader that went away (`| head`) is not an error worth words.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return new ProcessIo(env)
}

/** Node makes each stream when it is first asked for, which takes a millisecond. */
class ProcessIo implements Io {
  readonly env: Env
  readonly home: string

  constructor(env: Env) {
    this.env = env
    this.home = env['HOME'] ?? homedir()
  }

  get stdin() {
    return process.stdin
  }

  get stdout() {
    return process.stdout
  }

  get stderr() {
    return process.stderr
  }
}

/** All of standard input, as text. */
export async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array | string))
  return Buffer.concat(chunks).toString('utf8')
}

/** The next line of what is typed; empty at the end of the input. */
export async function readLine(stdin: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
    text += Buffer.from(chunk as Uint8Array | string).toString('utf8')
    if (text.includes('\n')) break
  }
  return text.split('\n')[0]!
}
