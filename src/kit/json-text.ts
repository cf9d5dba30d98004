/**
 * A JSON object that is kept as its text: spliced into a reply as it is instead of being parsed and
 * printed again. That is what keeps numbers exact, and a KV read cheap.
 */
import { parseJson } from '../lib/json.ts'

export class JsonText {
  readonly text: string
  #value: Record<string, unknown> | undefined

  constructor(text: string) {
    this.text = text
  }

  /** The parsed object; parsed once, for those who must look inside (audit, wrapping). */
  get value(): Record<string, unknown> {
    this.#value ??= parseJson(this.text) as Record<string, unknown>
    return this.#value
  }

  toJSON(): unknown {
    return this.value
  }
}
