/**
 * Holds the token and keeps it alive: renews at two thirds of its life, logs in anew when it cannot
 * be renewed any longer or turns out to be dead. One login at a time, whoever asks for it.
 */
import { type Secret } from '../lib/secret.ts'
import { type Auth, type Login } from './auth.ts'
import { ClosedError, type CofferError, DeniedError, isPassing, mayBeBadToken } from './errors.ts'
import { type Answer, type Call, type CallOptions, type Send } from './http.ts'

export type SessionOptions = {
  auth: Auth
  send: Send
  random: () => number
  onToken: (token: Secret) => void
  /** Told of a renewal or login that failed for good, when nobody waits for it. */
  onError: (error: unknown) => void
}

/** A token is renewed after this part of its life, less up to a tenth of that at random. */
const RENEW_AT = 2 / 3
/** setTimeout overflows past this and would fire at once. Renewing earlier does no harm. */
const TIMER_MS_MAX = 2 ** 31 - 1
const RETRY_MS_MAX = 30_000
/** Servers lock an account after a few wrong logins; no more than three in their usual window. */
const REFUSED_MS = 300_000

export class Session {
  readonly #options: SessionOptions
  #login: Login | undefined
  #expiresAt = Infinity
  #longestTtl = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #recovery: Promise<boolean> | undefined
  #loggingIn: Promise<void> | undefined
  #refused: { error: unknown; until: number } | undefined
  #closed = false

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** The first login. */
  async open(options: CallOptions = {}): Promise<void> {
    const { auth, send } = this.#options
    this.#accept(await auth.login(send, options))
  }

  get token(): Secret {
    if (this.#login === undefined) throw new ClosedError()
    return this.#login.token
  }

  /** Sends with the token. If the token proves dead, logs in anew and sends once more. */
  async call(call: Call): Promise<Answer> {
    const { send } = this.#options
    const used = this.token
    try {
      return await send({ ...call, token: used })
    } catch (error) {
      if (this.#closed || !mayBeBadToken(error)) throw error
      if (used === this.token) {
        const replaced = await waitFor(this.#replace(used, error), call)
        if (!replaced) throw error
      }
      return send({ ...call, token: this.token })
    }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #accept(login: Login): void {
    this.#login = login
    this.#longestTtl = login.ttlSeconds
    this.#refused = undefined
    this.#options.onToken(login.token)
    this.#schedule()
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    this.#failures = 0
    const ms = (this.#login?.ttlSeconds ?? 0) * 1000
    this.#expiresAt = ms > 0 ? Date.now() + ms : Infinity
    if (ms > 0) this.#keepAfter(ms * RENEW_AT * (1 - 0.1 * this.#options.random()))
  }

  #keepAfter(ms: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#keep(), Math.min(ms, TIMER_MS_MAX))
    this.#timer.unref()
  }

  async #keep(): Promise<void> {
    const { auth, random, onError } = this.#options
    const login = this.#login
    if (login === undefined || (!login.renewable && !auth.repeatable)) return
    try {
      if (this.#mayRenew(login)) await this.#renew(login)
      else await this.#logInAgain()
    } catch (error) {
      if (this.#closed) return
      if (isPassing(error)) {
        const backoff = Math.min(RETRY_MS_MAX, 1000 * 2 ** this.#failures++)
        this.#keepAfter(backoff * (0.5 + random() / 2))
      } else {
        onError(error)
      }
    }
  }

  /** A ttl that came back shorter than before has met the maximum: renewing again gains nothing. */
  #mayRenew({ renewable, ttlSeconds }: Login): boolean {
    if (!renewable) return false
    if (!this.#options.auth.repeatable) return true
    return ttlSeconds >= this.#longestTtl * 0.9 && Date.now() < this.#expiresAt
  }

  async #renew(login: Login): Promise<void> {
    const { send, auth } = this.#options
    try {
      const path = 'auth/token/renew-self'
      const call = { method: 'POST', path, body: {}, token: login.token, background: true } as const
      const { body } = await send(call)
      if (this.#login !== login || this.#closed) return
      const renewed = Object(body?.['auth']) as Record<string, unknown>
      const ttlSeconds = Number(renewed['lease_duration'] ?? 0)
      this.#login = { ...login, ttlSeconds, renewable: renewed['renewable'] !== false }
      this.#longestTtl = Math.max(this.#longestTtl, ttlSeconds)
      this.#schedule()
    } catch (error) {
      if (isPassing(error) || !auth.repeatable || this.#closed) throw error
      await this.#logInAgain()
    }
  }

  #logInAgain(): Promise<void> {
    this.#loggingIn ??= this.#logInOnce().finally(() => (this.#loggingIn = undefined))
    return this.#loggingIn
  }

  async #logInOnce(): Promise<void> {
    const { auth, send } = this.#options
    if (this.#refused && Date.now() < this.#refused.until) throw this.#refused.error
    try {
      const login = await auth.login(send, { background: true })
      if (!this.#closed) this.#accept(login)
    } catch (error) {
      if (!isPassing(error)) this.#refused = { error, until: Date.now() + REFUSED_MS }
      throw error
    }
  }

  /** True when there is a new token in place of `used`; false when `used` is alive after all. */
  #replace(used: Secret, denial: CofferError): Promise<boolean> {
    this.#recovery ??= this.#recover(used, denial).finally(() => (this.#recovery = undefined))
    return this.#recovery
  }

  async #recover(used: Secret, denial: CofferError): Promise<boolean> {
    const { auth, send } = this.#options
    if (!auth.repeatable || !(await isDead(send, used))) return false
    try {
      await this.#logInAgain()
      return true
    } catch (cause) {
      if (isPassing(cause) || this.#closed) throw cause
      const { method, path, status, errors } = denial
      const hint = 'the token has ended and a new login was refused'
      throw new DeniedError({
        ...(method === undefined ? {} : { method }),
        ...(path === undefined ? {} : { path }),
        ...(status === undefined ? {} : { status }),
        ...{ errors, hint, cause },
      })
    }
  }
}

async function isDead(send: Send, token: Secret): Promise<boolean> {
  try {
    await send({ method: 'GET', path: 'auth/token/lookup-self', token, background: true })
    return false
  } catch (error) {
    if (!(error instanceof DeniedError)) throw error
    return mayBeBadToken(error)
  }
}

/** Waits for work that itself keeps no process alive; the one who waits does. */
export async function waitFor<T>(
  work: Promise<T>,
  { signal, background }: CallOptions,
): Promise<T> {
  const hold = setInterval(() => {}, 60_000)
  if (background) hold.unref()
  let stop = () => {}
  try {
    if (!signal) return await work
    signal.throwIfAborted()
    const aborted = new Promise<never>((_resolve, reject) => {
      stop = () => reject(signal.reason as Error)
      signal.addEventListener('abort', stop, { once: true })
    })
    return await Promise.race([work, aborted])
  } finally {
    clearInterval(hold)
    signal?.removeEventListener('abort', stop)
  }
}
