/**
 * Every command of the program, by its first word. A family is imported only when it is used, so
 * that `coffer kv get` does not pay for the code of `coffer server`.
 */
import type { Command } from './command.ts'

type Loaded = { readonly command: Command } | { readonly commands: readonly Command[] }

export type Family = {
  readonly name: string
  readonly summary: string
  readonly group: 'Everyday' | 'Server' | 'Access' | 'This program'
  readonly load: () => Promise<Loaded>
}

// oxfmt-ignore
export const FAMILIES: readonly Family[] = [
  { group: 'Everyday', name: 'kv', summary: 'Work with versioned and plain key-value secrets', load: () => import('./commands/kv/kv.ts') },
  { group: 'Everyday', name: 'read', summary: 'Reads data from a path', load: () => import('./commands/read-write.ts') },
  { group: 'Everyday', name: 'write', summary: 'Writes data to a path', load: () => import('./commands/read-write.ts') },
  { group: 'Everyday', name: 'list', summary: 'Lists the names below a path', load: () => import('./commands/read-write.ts') },
  { group: 'Everyday', name: 'patch', summary: 'Changes part of the data at a path', load: () => import('./commands/read-write.ts') },
  { group: 'Everyday', name: 'delete', summary: 'Deletes what is at a path', load: () => import('./commands/read-write.ts') },
  { group: 'Everyday', name: 'watch', summary: 'Shows changes of secrets as they happen', load: () => import('./commands/watch.ts') },
  { group: 'Everyday', name: 'rotate', summary: 'Rotates credentials, and shows who holds which', load: () => import('./commands/rotate/rotate.ts') },
  { group: 'Everyday', name: 'login', summary: 'Logs in and keeps the token for later commands', load: () => import('./commands/login.ts') },
  { group: 'Everyday', name: 'scan', summary: 'Looks for secrets in files and in git', load: () => import('./commands/scan/scan.ts') },
  { group: 'Everyday', name: 'scrub', summary: 'Takes secrets out of a log on its way', load: () => import('./commands/scrub.ts') },
  { group: 'Everyday', name: 'fingerprints', summary: 'Writes an index by which scan and scrub know your secrets', load: () => import('./commands/fingerprints.ts') },
  { group: 'Everyday', name: 'leaked', summary: 'Keeps cases of secrets that have leaked', load: () => import('./commands/leaked.ts') },
  { group: 'Everyday', name: 'unwrap', summary: 'Opens a wrapping token, once', load: () => import('./commands/lease.ts') },
  { group: 'Everyday', name: 'run', summary: 'Runs a program with the secrets its environment refers to', load: () => import('./commands/run.ts') },
  { group: 'Everyday', name: 'env', summary: 'Moves and compares environments, from .env files on', load: () => import('./commands/env/env.ts') },
  { group: 'Everyday', name: 'agent', summary: 'Logs in for a machine and keeps its secrets up to date', load: () => import('./commands/agent.ts') },
  { group: 'Server', name: 'server', summary: 'Starts a server', load: () => import('./server-command.ts') },
  { group: 'Server', name: 'status', summary: 'Shows whether the server is sealed', load: () => import('./commands/status.ts') },
  { group: 'Server', name: 'operator', summary: 'Initialises, unseals, seals and rekeys a server', load: () => import('./commands/operator/operator.ts') },
  { group: 'Server', name: 'secrets', summary: 'Enables, tunes and moves secrets engines', load: () => import('./commands/secrets.ts') },
  { group: 'Server', name: 'audit', summary: 'Enables and disables audit devices', load: () => import('./commands/audit.ts') },
  { group: 'Server', name: 'plugin', summary: 'Lists the engines and auth methods there are', load: () => import('./commands/plugin.ts') },
  { group: 'Server', name: 'version-history', summary: 'Shows which versions the server has run', load: () => import('./commands/plugin.ts') },
  { group: 'Access', name: 'token', summary: 'Creates, looks up, renews and revokes tokens', load: () => import('./commands/token.ts') },
  { group: 'Access', name: 'policy', summary: 'Reads, writes and formats policies', load: () => import('./commands/policy.ts') },
  { group: 'Access', name: 'explain', summary: 'Shows which rule allows or denies something', load: () => import('./commands/explain.ts') },
  { group: 'Access', name: 'auth', summary: 'Enables, tunes and moves auth methods', load: () => import('./commands/auth.ts') },
  { group: 'Access', name: 'lease', summary: 'Looks up, renews and revokes leases', load: () => import('./commands/lease.ts') },
  { group: 'Access', name: 'namespace', summary: 'Creates, lists and deletes namespaces', load: () => import('./commands/namespace.ts') },
  { group: 'This program', name: 'print', summary: 'Prints what this program would use', load: () => import('./commands/local.ts') },
  { group: 'This program', name: 'path-help', summary: 'Shows what a path of the API takes', load: () => import('./commands/local.ts') },
  { group: 'This program', name: 'version', summary: 'Prints the version', load: () => import('./commands/local.ts') },
  { group: 'This program', name: 'completion', summary: 'Prints a completion script for bash or zsh', load: () => import('./commands/completion.ts') },
]

/** Loads the commands whose path starts with the name of the family. */
export async function commandsOf(family: Family): Promise<readonly Command[]> {
  const loaded = await family.load()
  const all = 'command' in loaded ? [loaded.command] : loaded.commands
  return all.filter(({ path }) => path[0] === family.name)
}
