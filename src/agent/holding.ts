/**
 * Who we are to a server that rotates what we have read, and what we say of it: which generations are
 * in use here, in which places (a program's environment, a file). The server revokes nothing that
 * stands in one of them. Nothing is said of what is not rotated, so other servers never hear of it.
 */
import { createHash, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Client } from '../client/connect.ts'
import { CofferError } from '../client/errors.ts'
import { sleep } from '../client/http.ts'
import { type Acks, createAcks } from '../client/rotating/acks.ts'
import { waitFor } from '../client/session.ts'

/** Which generation of what is rotated: by the path its readers read. */
export type Generations = ReadonlyMap<string, number>

/** Of two generations of one path the older one counts: it is the one that must not be taken away. */
export function addGeneration(
  to: Map<string, number>,
  { path, generation }: { path: string; generation: number | undefined },
): void {
  if (generation !== undefined) to.set(path, Math.min(generation, to.get(path) ?? Infinity))
}

export type Holding = {
  readonly instance: string
  /** To be sent along with each read: they name this holder. */
  readonly headers: Readonly<Record<string, string>>
  /** What acks are sent with, from now on. */
  use(client: Client): void
  /** Has been read, and is not in use yet. */
  seen(read: Generations): void
  /** The place uses these now, and nothing else any more. */
  stands(place: string, on: Generations): void
  /** The same for many, none of which lets go before all are known. */
  standTogether(all: ReadonlyMap<string, Place>): void
  /** What has turned out not to work: of `on`, what is not as in `before`. */
  refused(on: Generations, before: Generations | undefined, reason: string): void
  /** Nothing is used here any more. Comes back when the server has heard it, or soon. */
  leave(): Promise<void>
  /** The same, but what was put into files is still used by others. */
  close(): Promise<void>
}

/**
 * What a place stands on. Of what is the same in `unsure` that is not known: it may still use what was
 * before, and the server is left to what it has last heard.
 */
export type Place = { readonly on: Generations; readonly unsure?: Generations | undefined }

export type HoldingOptions = {
  instance: string
  app: string
  /** For who looks for trouble: the server does not want to hear of us. */
  onQuiet: (text: string) => void
  random?: () => number
}

/** So long the end of a program is held up by a server that is slow to answer. */
const LAST_WORDS_MS = 3000
const HOST_CHARS_MAX = 24
const APP_CHARS_MAX = 40

const plain = (text: string) => text.replace(/[^\w.-]/g, '-')
const host = () => plain(hostname()).slice(0, HOST_CHARS_MAX)

/** A process that ends with what it has read: `web1.4711.3fa9c2d8`, another one each time. */
export const processName = (): string => `${host()}.${process.pid}.${randomUUID().slice(0, 8)}`

/** One that leaves files behind, and comes back to them: the same for the same files. */
export function filesName(files: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(files)).digest('hex')
  return `${host()}.files.${digest.slice(0, 8)}`
}

/** `run/node`: what people see. Never an argument: those may hold anything. */
export const appName = (kind: string, command = ''): string => {
  const program = plain(command.slice(command.lastIndexOf('/') + 1))
  return (program === '' ? kind : `${kind}/${program}`).slice(0, APP_CHARS_MAX)
}

export function createHolding(options: HoldingOptions): Holding {
  const { instance, app, onQuiet, random = Math.random } = options
  const end = new AbortController()
  const sending = Promise.withResolvers<Client>()
  const paths = new Map<string, Told>()
  const places = new Map<string, Place>()
  let isQuiet = false

  const quiet = (error: unknown) => {
    if (isQuiet) return
    isQuiet = true
    const why = error instanceof CofferError ? error.message : 'it could not be asked'
    onQuiet(`the server does not know that a rotated secret is in use here: ${why}`)
  }
  const toldOf = (path: string): Told => {
    const known = paths.get(path)
    if (known) return known
    const acks = createAcks({
      client: () => sending.promise,
      ...{ path, instance, app, random, signal: end.signal },
      onError: quiet,
      onUnwanted: quiet,
    })
    const told: Told = { acks, ...UNTOLD }
    paths.set(path, told)
    return told
  }
  const settle = (path: string) => {
    const used = [...places.values()].flatMap((place) => usedIn(place, path) ?? [])
    const told = toldOf(path)
    if (used.length === 0) {
      void told.acks.leave(told.seen)
      Object.assign(told, UNTOLD)
      return
    }
    const newest = Math.max(...used.map(({ generation }) => generation))
    const isNewest = used.map(({ generation, isSure }) => isSure && generation === newest)
    told.seen = newest
    if (!isNewest.includes(true)) return
    const isAll = !isNewest.includes(false)
    if (told.applied !== newest) {
      // That the very first one is in use follows from the word after it.
      if (told.applied !== undefined || !isAll) told.acks.tell(newest, 'applied')
      told.applied = newest
    }
    if (!isAll || told.drained === newest) return
    told.drained = newest
    told.acks.tell(newest, 'drained')
  }
  const over = async (words: Promise<unknown>[]) => {
    // Neither acks nor clocks keep the process alive; whoever waits for the end does.
    const late = () => sleep(LAST_WORDS_MS, end.signal)
    if (words.length > 0) await waitFor(Promise.race([Promise.all(words), late()]), {})
    end.abort(new DOMException('the holder has ended', 'AbortError'))
  }

  const standTogether: Holding['standTogether'] = (all) => {
    const touched = new Set<string>()
    for (const [name, place] of all) {
      for (const path of places.get(name)?.on.keys() ?? []) touched.add(path)
      for (const path of place.on.keys()) touched.add(path)
      places.set(name, place)
    }
    for (const path of touched) settle(path)
  }

  return {
    instance,
    headers: { 'x-coffer-instance': instance, 'x-coffer-app': app },
    use: (client) => sending.resolve(client),
    seen(read) {
      for (const [path, generation] of read) {
        const told = toldOf(path)
        if (told.seen === generation) continue
        // Who reads is noted by the server. That it is still there is said of what is in use.
        if (told.applied !== undefined) told.acks.tell(generation, 'seen')
        told.seen = generation
      }
    },
    stands: (place, on) => standTogether(new Map([[place, { on }]])),
    standTogether,
    refused(on, before, reason) {
      for (const [path, generation] of on) {
        const older = before?.get(path)
        if (older === undefined || older === generation) continue
        toldOf(path).acks.tell(generation, 'nack', reason)
      }
    },
    leave: () => over([...paths.values()].map(({ acks, seen }) => acks.leave(seen))),
    close: () => over([...paths.values()].map(({ acks }) => acks.settled())),
  }
}

const PROGRAM = 'the program'
type With = { readonly generations: Generations }

/** What the environment of a program stands on, from one start to the next. */
export function holdForProgram(holding: Holding) {
  let before: Generations | undefined
  let now: Generations | undefined
  return {
    onStarted({ generations }: With) {
      before = now
      now = generations
      holding.stands(PROGRAM, generations)
    },
    /** Another generation, and yet not one value in the environment is another. */
    onSame({ generations }: With) {
      now = generations
      holding.stands(PROGRAM, generations)
    },
    onFailedRestart(code: number) {
      holding.refused(now ?? NONE, before, `the program ended with ${code} at once`)
    },
  }
}

/**
 * What files stand on. That those who read a file have done so is known when its command has ended
 * well; of a file that nobody is told of, it is taken for granted.
 */
export function holdForFiles(holding: Holding, files: readonly string[]) {
  const known = new Map<string, Generations>()
  const unsure = new Map<string, Generations>()
  const troubled = new Set<string>()
  // At the start nobody knows what a file has in it whose turn has not come.
  const missing = new Set(files)
  const waiting = new Map<string, Place>()
  const stand = (file: string, place: Place) => {
    missing.delete(file)
    waiting.set(file, place)
    if (missing.size > 0) return
    holding.standTogether(waiting)
    waiting.clear()
  }
  return {
    /** `trouble`: what came of the command. */
    written(file: string, used: Generations, trouble: string | undefined) {
      const before = known.get(file)
      if (trouble !== undefined) {
        troubled.add(file)
        if (before === undefined) stand(file, { on: used, unsure: used })
        return holding.refused(used, before, `the command of ${file} ${trouble}`)
      }
      troubled.delete(file)
      unsure.delete(file)
      known.set(file, used)
      stand(file, { on: used })
    },
    /** It had that text already. */
    same(file: string, used: Generations, hasCommand: boolean) {
      if (troubled.has(file)) return
      // It may have been written by one that was ended before its command was.
      if (hasCommand && !known.has(file)) unsure.set(file, used)
      known.set(file, used)
      stand(file, { on: used, unsure: unsure.get(file) })
    },
  }
}

function usedIn({ on, unsure }: Place, path: string) {
  const generation = on.get(path)
  if (generation === undefined) return undefined
  return { generation, isSure: generation !== unsure?.get(path) }
}

type Told = {
  acks: Acks
  seen: number | undefined
  applied: number | undefined
  drained: number | undefined
}
const UNTOLD = { seen: undefined, applied: undefined, drained: undefined }
const NONE: Generations = new Map()
