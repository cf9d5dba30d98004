/**
 * Follows one credential for as long as an app runs: knows the newest generation, tells whoever
 * listens, keeps its lease if it has one, and tells the server what has become of it here. All
 * adapters stand on this.
 */
import { randomUUID } from 'node:crypto'
import { createCache } from '../cache.ts'
import { asyncDispose, type Client } from '../connect.ts'
import { ClosedError, DeniedError } from '../errors.ts'
import { type CallOptions, sleep } from '../http.ts'
import { waitFor } from '../session.ts'
import { type Acks, type AckState, createAcks } from './acks.ts'
import { createChanges, type Watch } from './changes.ts'
import { Credential, type FieldNames } from './credential.ts'
import { keepLease, revokeLease } from './lease.ts'
import { createReader, type Reader, type ReadLease } from './reading.ts'
import { parseSourceReference } from './source-reference.ts'
import { createSupply, type Supplied, type Supply, type SupplyOptions } from './supply.ts'

export type RotatingOptions = SupplyOptions & {
  /** The program's name, for people who look at holders and sessions. Default `app`. */
  app?: string | undefined
  /** The program's version, told to the server. */
  version?: string | undefined
  /** How often to look for a new generation where the server does not push. Default 5000. */
  intervalMs?: number | undefined
  /** How changes are pushed. Default: what the client has; without that, looking only. */
  watch?: Watch | undefined
  fields?: FieldNames | undefined
  /** From 0 up to 1: spreads looks, renewals and signs of life. */
  random?: (() => number) | undefined
}

export type RotatingCredential = {
  /** Names this holder to the server. */
  readonly instance: string
  /** What its sessions call themselves on the target: `coffer:<app>:<start of the instance>`. */
  readonly sessionName: string
  readonly current: Credential
  /** Reads now; for when a login was refused. Callers at the same time share one read. */
  refreshNow(options?: CallOptions): Promise<Credential>
  /** Called with each new generation; the returned function ends that. */
  onChange(fn: (credential: Credential) => void): () => void
  /** What has become of it here. `drained`: nothing that came before it is in use any more. */
  tell(credential: Credential, state: AckState, reason?: string): void
  readonly onError: (error: unknown) => void
  /** Ends it all, and revokes leases that were made for this. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const INTERVAL_MS = 5000
const LAST_WORDS_MS = 1000
/** Fits, with what is around it, the 63 bytes that PostgreSQL keeps of a name. */
const APP_CHARS_MAX = 40

/** Fulfilled with the first reading; rejected with what it met. No timer keeps the process alive. */
export async function rotatingCredential(
  ref: string,
  options: RotatingOptions = {},
): Promise<RotatingCredential> {
  const source = new Source(ref, options)
  try {
    await source.start()
  } catch (error) {
    await source.close()
    throw error
  }
  return source
}

class Source implements RotatingCredential {
  readonly instance = randomUUID()
  readonly sessionName: string
  readonly onError: (error: unknown) => void
  readonly #options: RotatingOptions
  readonly #reference: ReturnType<typeof parseSourceReference>
  readonly #supply: Supply
  readonly #random: () => number
  readonly #headers: Record<string, string>
  readonly #acks: Acks
  readonly #end = new AbortController()
  readonly #listeners = new Set<(credential: Credential) => void>()
  readonly #leases = new Map<number, ReadLease>()
  readonly #read = createCache<Credential>({
    load: (_path, options) => this.#load(options),
    onError: () => {},
    random: () => 0,
  })
  #reader: { of: Client; reader: Reader } | undefined
  #reading: Supplied | undefined
  #current: Credential | undefined
  /** The newest that was told to be applied. */
  #applied = 0

  constructor(ref: string, options: RotatingOptions) {
    const { app = 'app', version, random = Math.random } = options
    this.#options = options
    this.#reference = parseSourceReference(ref)
    this.#supply = createSupply(options)
    this.#random = random
    this.onError = this.#supply.onError
    // What is more than letters breaks a name for Redis, and hides one in a list of sessions.
    const name = app.replace(/[^\w.-]/g, '-').slice(0, APP_CHARS_MAX)
    this.sessionName = `coffer:${name}:${this.instance.slice(0, 8)}`
    this.#headers = { 'x-coffer-instance': this.instance, 'x-coffer-app': name }
    this.#acks = createAcks({
      client: () => this.#supply.client({ background: true }),
      path: this.#reference.path,
      instance: this.instance,
      app: name,
      version,
      random,
      onError: this.onError,
      signal: this.#end.signal,
    })
  }

  async start(): Promise<void> {
    await this.refreshNow()
    this.#follow().catch(() => {})
  }

  get current(): Credential {
    if (this.#current === undefined) throw new ClosedError()
    return this.#current
  }

  async refreshNow(options: CallOptions = {}): Promise<Credential> {
    if (this.#end.signal.aborted) throw new ClosedError()
    return this.#read.refreshNow(this.#reference.path, options)
  }

  onChange(fn: (credential: Credential) => void): () => void {
    this.#listeners.add(fn)
    return () => void this.#listeners.delete(fn)
  }

  tell({ generation, serial }: Credential, state: AckState, reason?: string): void {
    // That an older one works as well is no news, and would look like a step back.
    if (state === 'applied' && serial === this.current.serial) this.#applied = serial
    const isLate = (state === 'applied' || state === 'drained') && serial > this.#applied
    const isStepBack = state === 'applied' && serial < this.#applied
    if (generation !== undefined && !isLate && !isStepBack && !this.#end.signal.aborted) {
      this.#acks.tell(generation, state, reason)
    }
    if (state === 'drained') void this.#revokeBefore(serial)
  }

  async close(): Promise<void> {
    if (this.#end.signal.aborted) return
    // Neither acks nor clocks keep a process alive; whoever waits for the end does.
    await waitFor(this.#leave(), {})
  }

  async #leave(): Promise<void> {
    const { signal } = this.#end
    const late = sleep(LAST_WORDS_MS, signal).catch(() => {})
    await Promise.race([this.#acks.leave(this.#current?.generation), late])
    this.#end.abort(new ClosedError())
    this.#listeners.clear()
    await this.#revokeBefore(Infinity)
    await this.#supply.close()
  }

  [asyncDispose](): Promise<void> {
    return this.close()
  }

  async #load(options: CallOptions): Promise<Credential> {
    const { path } = this.#reference
    const supplied = await this.#supply.read(
      path,
      (client, call) => this.#readerFor(client).read({ ...call, headers: this.#headers }),
      options,
    )
    return this.#accept(supplied)
  }

  #readerFor(client: Client): Reader {
    if (this.#reader?.of !== client) {
      this.#reader = { of: client, reader: createReader(client, this.#reference.path) }
    }
    return this.#reader.reader
  }

  #accept(supplied: Supplied): Credential {
    const before = this.#reading
    // What was kept from another day never replaces what the server has said today.
    if (this.#current && supplied.offline) return this.#current
    this.#reading = supplied
    const isSame = before?.mark === supplied.mark
    if (this.#current && isSame) {
      if (before.offline) this.tell(this.#current, 'seen')
      return this.#current
    }
    const about = { reference: this.#reference, names: this.#options.fields ?? {} }
    const serial = (this.#current?.serial ?? 0) + 1
    const credential = new Credential(supplied, { ...about, serial })
    this.#current = credential
    if (supplied.lease) this.#keep(supplied.lease, serial)
    if (!supplied.offline) this.tell(credential, 'seen')
    for (const listener of this.#listeners) {
      try {
        listener(credential)
      } catch (error) {
        this.onError(error)
      }
    }
    return credential
  }

  async #follow(): Promise<void> {
    const { signal } = this.#end
    const { intervalMs = INTERVAL_MS } = this.#options
    const { path } = this.#reference
    const findWatch = () => this.#findWatch()
    const changes = createChanges({ path, findWatch, intervalMs, random: this.#random, signal })
    for (let failures = 0; ;) {
      await changes.next(failures)
      try {
        if (await this.#mayHaveChanged(signal)) await this.refreshNow({ background: true, signal })
        failures = this.#reading?.offline ? failures + 1 : 0
      } catch (error) {
        if (signal.aborted) return
        if (failures++ === 0) this.onError(error)
      }
    }
  }

  async #mayHaveChanged(signal: AbortSignal): Promise<boolean> {
    if (this.#reading === undefined || this.#reading.offline) return true
    const client = await this.#supply.client({ background: true, signal })
    const call = { background: true, signal, headers: this.#headers }
    return this.#readerFor(client).mayHaveChanged(this.#reading, call)
  }

  async #findWatch(): Promise<Watch | undefined> {
    // Nothing is told of a credential that is nobody else's.
    if (this.#reading?.lease) return undefined
    if (this.#options.watch) return this.#options.watch
    const client: Client & { watch?: Watch } = await this.#supply.client({ background: true })
    return client.watch?.bind(client)
  }

  #keep(lease: ReadLease, serial: number): void {
    this.#leases.set(serial, lease)
    const { signal } = this.#end
    const client = () => this.#supply.client({ background: true, signal })
    const replace = async () => {
      await keepLease({ lease, client, random: this.#random, signal })
      for (let failures = 0; this.#current?.serial === serial; failures++) {
        try {
          await this.refreshNow({ background: true, signal })
        } catch (error) {
          if (failures === 0 && !signal.aborted) this.onError(error)
          await sleep(Math.min(30_000, 1000 * 2 ** failures) * (0.5 + this.#random() / 2), signal)
        }
      }
    }
    replace().catch(() => {})
  }

  async #revokeBefore(serial: number): Promise<void> {
    const old = [...this.#leases].filter(([own]) => own < serial)
    for (const [own, lease] of old) {
      this.#leases.delete(own)
      try {
        await revokeLease(await this.#supply.client({ background: true }), lease)
      } catch (error) {
        // A policy that does not allow it is no trouble: the lease ends by itself.
        if (!(error instanceof DeniedError)) this.onError(error)
      }
    }
  }
}
