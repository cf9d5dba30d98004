/** The environment of a child: ours, without what bin/coffer sets for this process alone. */
import { type Env as Given } from '../io.ts'

export function childEnv(given: Given): Record<string, string> {
  const env: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(given)) if (value !== undefined) env[name] = value
  // It would change how the child behaves.
  if (env['COFFER_ARENA'] === 'ours') delete env['MALLOC_ARENA_MAX']
  delete env['COFFER_ARENA']
  delete env['COFFER_NAME']
  return env
}
