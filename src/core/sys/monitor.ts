/** `sys/monitor`: the log of the process that answers, line by line, for as long as one reads. */
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'

export type Monitor = {
  full(): boolean
  listen(options: { level: string; json: boolean }, write: (line: string) => void): () => void
}
export type MonitorOptions = { monitor?: Monitor }

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error']
const FORMATS = ['standard', 'json']

export function monitorEndpoints({ monitor }: MonitorOptions): Endpoint[] {
  return [
    endpoint('monitor', {
      help: 'The lines that this process logs from now on, until the client goes.',
      fields: {
        log_level: t.string({ help: `One of ${LEVELS.join(', ')}.`, default: 'info', clear: true }),
        log_format: t.string({ help: 'standard or json.', default: 'standard', clear: true }),
      },
      read({ data }) {
        const { log_level: level, log_format: format } = data
        if (!LEVELS.includes(level)) refuse(`unknown log level; one of ${LEVELS.join(', ')}`)
        if (!FORMATS.includes(format)) refuse('unknown log format; standard or json')
        if (!monitor) throw new Failure('unsupported_path', undefined, { wrapped: true })
        if (monitor.full()) {
          throw new Failure('overloaded', 'too many are reading the log of this process already')
        }
        return reply({
          stream: ({ write, end }) => {
            // Others may have come between the request and here.
            if (!monitor.full()) return monitor.listen({ level, json: format === 'json' }, write)
            end()
            return () => {}
          },
        })
      },
    }),
  ]
}
