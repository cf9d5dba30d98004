/**
 * What is rotated in a simulation. The driver knows nothing of a target but this, so that the fake
 * one and real servers go through the same runs.
 */
import { type Engine } from '../../../src/kit/engine.ts'
import { type Clock } from '../../../src/lib/clock.ts'
import { type Around } from './gate.ts'

export type Credential = Readonly<Record<string, unknown>>

export type Subject = {
  /** The engine, its steps through the gate. It is mounted at its type's name. */
  engine(around: Around): Engine
  /** The request that declares the role, below the mount, and where its credential is read. */
  readonly declare: { path: string; data: Record<string, unknown> }
  readonly readPath: string
  readonly rotatePath: string
  /** As an app does. */
  login(credential: Credential): Promise<boolean>
  /** Logins that work on the target besides those given: what has been forgotten there. */
  strangers(known: readonly Credential[]): Promise<string[]>
  /** Somebody changes the password of what is served. Absent where a simulation cannot. */
  tamper?(credential: Credential): Promise<void>
  /** How long, in real time, a step may take before the clock goes on without it. */
  readonly patienceMs: number
  close?(): Promise<void>
}

export type MakeSubject = (clock: Clock) => Promise<Subject> | Subject
