/** Running `coffer scan` in a test, and secrets that are none until they are put together. */
import { runCli } from './fake-vault.ts'
import { expandSample } from '../../src/rules/sample.ts'

/** A token of GitHub's form; another one for another seed. */
export const tokenOf = (seed: string) => expandSample('ghp_{B30}{crc}', seed)

export type Told = {
  readonly rule: string
  readonly path: string
  readonly line: number
  readonly column: number
  readonly value: string
  readonly fingerprint: string
  readonly commit?: string
  readonly author?: string
}

/** All that is found, as -format=jsonl tells it, in the order it was told. */
export async function scanned(...argv: readonly string[]) {
  const { code, out, err } = await runCli(['scan', '-format=jsonl', ...argv])
  const lines = out.split('\n').slice(0, -1)
  return { code, err, out, found: lines.map((line) => JSON.parse(line) as Told) }
}

/** `path:line:column`, sorted: what most tests compare. */
export const placesOf = (found: readonly Told[]) =>
  found.map(({ path, line, column }) => `${path}:${line}:${column}`).sort()
