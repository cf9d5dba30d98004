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
        const asked = paths.map((path) => {
          const given = Object.hasOwn(parameters, path) ? parameters[path] : {}
          return { path, data: isObject(given) ? given : refuse('parameters must be objects') }
        })
        const turn = turnOf(call as never)
        // Nothing after this refuses the whole: a token that was spent for it would be gone.
        payFor(turn, core, asked.length)
        const results = []
        for (const one of asked) results.push(await readOne(turn, core, one))
        return { results }
      },
      example: { paths: ['secret/data/app/db', 'secret/data/app/web'] },
    }),
  ]
}
