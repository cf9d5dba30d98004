/** The requests that are being served at this moment, for an operator who wonders what is stuck. */

export type InFlightRequest = {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly remoteAddress: string
  readonly remotePort: number
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
}

export class InFlight {
  readonly #requests = new Set<InFlightRequest>()

  /** Enters a request; the returned function leaves, and may be called more than once. */
  enter(request: InFlightRequest): () => void {
    this.#requests.add(request)
    return () => void this.#requests.delete(request)
  }

  get size(): number {
    return this.#requests.size
  }

  /** Oldest first. */
  list(): readonly InFlightRequest[] {
    return [...this.#requests]
  }
}
