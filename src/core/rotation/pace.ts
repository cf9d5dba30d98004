/**
 * How fast the machine of rotations goes: times that are the server's own, and no rule of a rotation.
 * One set of them, so that a test with real databases can have all of them shorter in proportion.
 */

/** Milliseconds. */
export type Pace = {
  /** Between two looks for what is due. */
  readonly look: number
  /** Between two looks at the same holders: at first, and after a long while. */
  readonly holders: readonly [number, number]
  /** How long a target may take for one step. */
  readonly step: number
  /** How much later what was sent may still be done there, at most: an engine sets its limits below. */
  readonly settle: number
  /** Until something that has failed is tried again: the first time, and at most. */
  readonly retry: readonly [number, number]
  /** How often a request looks whether another node has done what it waits for. */
  readonly wait: number
  /** So long without a word of its own, a node has lost the duty to the next one. */
  readonly duty: number
}

export const PACE: Pace = {
  look: 1_000,
  holders: [1_000, 30_000],
  step: 30_000,
  settle: 30_000,
  retry: [10_000, 300_000],
  wait: 250,
  duty: 15_000,
}
