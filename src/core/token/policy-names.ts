/**
 * Policy names as callers write them, made canonical before anything is compared with them; and
 * the globs of token roles, where a star stands for any run of characters, wherever it is.
 */
import { refuse } from '../../kit/failure.ts'
import { PolicyError } from '../policies-error.ts'
import { policyName } from '../policies-name.ts'

/** Canonical, each once, sorted. A name that cannot be made canonical is a 400. */
export function policyNames(names: readonly string[]): string[] {
  try {
    return [...new Set(names.map(policyName))].sort()
  } catch (error) {
    if (error instanceof PolicyError) refuse(error.message)
    throw error
  }
}

/** `root` stands alone: beside it no other name means anything. */
export function withDefault(names: readonly string[], addDefault: boolean): string[] {
  if (names.includes('root')) return ['root']
  return [...new Set(addDefault ? [...names, 'default'] : names)].sort()
}

/** Left to right, each part at its first place, so that nothing is tried twice. */
export function matchesGlob(pattern: string, name: string): boolean {
  const [head = '', ...rest] = pattern.split('*')
  const tail = rest.pop()
  if (tail === undefined) return pattern === name
  if (!name.startsWith(head)) return false
  let at = head.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - tail.length >= at && name.endsWith(tail)
}

/** Whether one of the names, or one of the globs, is about this policy. */
export function listed(name: string, exact: readonly string[], globs: readonly string[]): boolean {
  return exact.includes(name) || globs.some((glob) => matchesGlob(glob, name))
}
