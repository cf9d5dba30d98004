/** A policy or its name is not acceptable; the text is for the caller, as a 400. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
}
