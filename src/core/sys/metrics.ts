/** `sys/metrics`, and the gauges that only the core can fill. */
import { refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { bare, raw } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Scope } from '../../barrier/space.ts'
import { type Core } from '../core.ts'
import { namespacesOf, scopeIn } from '../namespaces.ts'
import { type InFlight } from '../in-flight.ts'
import { type Metrics } from '../metrics.ts'
import { metricsJson, PROMETHEUS_TYPE, prometheusText } from '../metrics-text.ts'

export type MetricsOptions = { metrics?: Metrics; inFlight?: InFlight }

const PROMETHEUS_ACCEPT = /application\/openmetrics-text|prometheus\/telemetry/

export function metricsEndpoints(core: Core, { metrics, inFlight }: MetricsOptions): Endpoint[] {
  if (metrics) addGauges(core, metrics, inFlight)
  return [
    endpoint('metrics', {
      help: 'Numbers about this process, as JSON or as Prometheus reads them.',
      fields: { format: t.string({ help: '"prometheus", or nothing for JSON.', default: '' }) },
      async read(call) {
        const { format } = call.data
        if (format !== '' && format !== 'prometheus') {
          refuse(`metric response format ${JSON.stringify(format)} unknown`)
        }
        const accept = call.header('accept') ?? ''
        const wantsText = format === 'prometheus' || PROMETHEUS_ACCEPT.test(accept)
        if (!metrics && wantsText) refuse('prometheus is not enabled')
        const all = metrics ? await metrics.read() : []
        return wantsText
          ? raw(PROMETHEUS_TYPE, prometheusText(all))
          : bare(metricsJson(all, call.now))
      },
    }),
  ]
}

/** Counting walks over every name, so a number is good for this long. */
const COUNT_MS = 30_000

function addGauges(core: Core, metrics: Metrics, inFlight: InFlight | undefined): void {
  const counted = (prefix: string) => {
    let known: { at: number; value: number } | undefined
    return async () => {
      const now = core.clock.now()
      if (known && now - known.at < COUNT_MS) return known.value
      const tx = await core.begin(false)
      if (!tx) return undefined
      let value = await countBelow(tx, prefix)
      for (const namespace of (await namespacesOf(tx))?.byPath.values() ?? []) {
        value += await countBelow(scopeIn(tx, namespace), prefix)
      }
      known = { at: now, value }
      return value
    }
  }
  metrics.gauge('coffer_unsealed', () => (core.keeper.space ? 1 : 0))
  metrics.gauge('coffer_tokens', counted('token/'))
  metrics.gauge('coffer_leases', counted('lease/'))
  if (inFlight) metrics.gauge('coffer_requests_in_flight', () => inFlight.size)
}

async function countBelow(scope: Scope, prefix: string): Promise<number> {
  let count = 0
  for (const name of await scope.list(prefix)) {
    count += name.endsWith('/') ? await countBelow(scope, prefix + name) : 1
  }
  return count
}
