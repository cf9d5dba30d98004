/** Findings that somebody has accepted: in our baseline, or in the files of the tools they used before. */
import { relative, resolve } from 'node:path'
import { crypto } from '../lib/node-crypto.ts'
import { ALL_RULES } from '../rules/all.ts'
import type { Baseline, IgnoredPlace } from './baseline.ts'
import type { Finding } from './finding.ts'

export type Accepted = {
  readonly baseline?: Baseline | undefined
  /** SHA-1 of secrets. */
  readonly hashes?: ReadonlySet<string> | undefined
  /** Paths are relative to the root. */
  readonly places?: { readonly root: string; readonly list: readonly IgnoredPlace[] } | undefined
}

const IN_SECRETS_BASELINE = 'in .secrets.baseline'
const sha1 = (text: string) => crypto().createHash('sha1').update(text).digest('hex')

/** Why a finding is accepted, or undefined when it is not. */
export function acceptedBy({
  baseline,
  hashes,
  places,
}: Accepted): (one: Finding) => string | undefined {
  const known = new Set(baseline?.findings.map(({ fingerprint }) => fingerprint))
  const ours = new Set(ALL_RULES.map(({ id }) => id))
  const byPlace = new Map<string, IgnoredPlace[]>()
  for (const place of places?.list ?? []) {
    const key = `${place.path}:${place.line}`
    byPlace.set(key, [...(byPlace.get(key) ?? []), place])
  }
  return (one) => {
    // Wherever it is now: a secret that was accepted may be moved.
    if (known.has(one.fingerprint)) return 'in the baseline'
    // The hashes themselves look like secrets where they are listed.
    if (hashes && (hashes.has(sha1(one.secret)) || hashes.has(one.secret)))
      return IN_SECRETS_BASELINE
    if (places === undefined) return undefined
    const inRoot = relative(places.root, resolve(one.path))
    const path = one.commit || inRoot.startsWith('..') ? one.path : inRoot
    const fits = byPlace.get(`${path}:${one.line}`)?.some(({ commit, rule }) => {
      if (commit !== undefined && commit !== one.commit?.id) return false
      // Rules of that tool that we do not have are called something else here.
      return rule === one.rule || !ours.has(rule)
    })
    return fits ? 'in .gitleaksignore' : undefined
  }
}
