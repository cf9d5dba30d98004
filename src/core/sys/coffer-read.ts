/** `sys/coffer/read`: many reads in one request, in one snapshot. */
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { isObject } from '../../lib/json.ts'
import { t } from '../../schema/field.ts'
import { payFor, readOne } from '../batch-read.ts'
import { type Core } from '../core.ts'
import { turnOf } from '../turn.ts'

const PATHS_MAX = 100

export function cofferReadEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/read', {
      help: 'Reads up to 100 paths at once, each as if it had been asked for alone.',
      description:
        'Every path is judged by the policies of the caller and has its own entries in the audit ' +
        'log; all are of one moment. An answer has the status, data or errors of the single read. ' +
        'A token with a limited number of uses pays one for each path. Paths that may issue ' +
        'leases are refused.',
      fields: {
        paths: t.list({
          help: 'The paths; kv version 2 has data/ in them.',
          required: 'missing paths',
          clear: true,
        }),
        parameters: t.map({
          help: 'By path, what a query would say: {"a/data/b": {"version": 2}}.',
        }),
      },
      async write(call) {
        const { paths, parameters = {} } = call.data
        if (paths.length === 0) refuse('missing paths')
        if (paths.length > PATHS_MAX) refuse(`at most ${PATHS_MAX} paths in one request`)
        if (new Set(paths).size < paths.length) refuse('a path is given twice')
        const turn = turnOf(call as never)
        payFor(turn, core, paths.length)
        const results = []
        for (const path of paths) {
          const given = Object.hasOwn(parameters, path) ? parameters[path] : {}
          const data = isObject(given) ? given : refuse('parameters must be objects, by path')
          results.push(await readOne(turn, core, { path, data }))
        }
        return { results }
      },
      example: { paths: ['secret/data/app/db', 'secret/data/app/web'] },
    }),
  ]
}
