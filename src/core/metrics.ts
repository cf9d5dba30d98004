/**
 * Numbers about this process: counters, histograms and gauges. A name must be in the table below,
 * and labels take few values by construction (types, operations, classes of status), so no client
 * can make the registry grow. Nothing here ever holds a path, a name or a value of anyone's.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type Store, StoreConflict } from '../storage/store.ts'
import { type Turn } from './turn.ts'

export type Labels = Readonly<Record<string, string>>

export const METRICS = {
  coffer_requests_total: 'Requests by operation, mount type and class of status.',
  coffer_request_seconds: 'Time from a request to its answer.',
  coffer_logins_total: 'Logins that succeeded, by type of auth method.',
  coffer_tokens_created_total: 'Tokens created, by type.',
  coffer_leases_issued_total: 'Leases issued.',
  coffer_audit_failures_total: 'Requests refused because no audit device took their entry.',
  coffer_store_commit_seconds: 'Time of a commit of the store.',
  coffer_store_conflicts_total: 'Commits refused because what they had read was changed.',
  coffer_requests_in_flight: 'Requests that are being served.',
  coffer_unsealed: '1 when the server is unsealed.',
  coffer_leases: 'Leases that have not ended.',
  coffer_tokens: 'Tokens that are stored.',
  coffer_event_loop_delay_p99_seconds: 'How late the event loop was, since the last reading.',
  coffer_heap_bytes: 'Memory in use by JavaScript.',
  coffer_rss_bytes: 'Memory the process occupies.',
  coffer_uptime_seconds: 'Age of the process.',
} as const

export type MetricName = keyof typeof METRICS

/** In seconds; from a cached read to a request that has gone wrong. */
export const BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

export type Summary = {
  count: number
  sum: number
  sumOfSquares: number
  min: number
  max: number
  /** How many fell into each bucket and none before it; one more for those beyond the last. */
  buckets: number[]
}

export type Series = { name: MetricName; labels: Labels } & (
  | { kind: 'counter'; value: number }
  | { kind: 'gauge'; value: number }
  | { kind: 'histogram'; summary: Summary }
)

export type Metrics = {
  count(name: MetricName, labels?: Labels, by?: number): void
  /** The same as a function for one set of labels: what is counted at each request. */
  counter(name: MetricName, labels: Labels): () => void
  /** A duration, in seconds. */
  observe(name: MetricName, seconds: number, labels?: Labels): void
  /** A number that is asked for when somebody reads the metrics; undefined = not known now. */
  gauge(name: MetricName, read: () => Promise<number | undefined> | number | undefined): void
  /** Everything, in the table's order. */
  read(): Promise<Series[]>
  close(): void
}

export function createMetrics(): Metrics {
  const series = new Map<string, Extract<Series, { kind: 'counter' | 'histogram' }>>()
  const gauges = new Map<MetricName, () => Promise<number | undefined> | number | undefined>()
  const loop = monitorEventLoopDelay({ resolution: 20 })
  loop.enable()

  // Asked for several times in each request.
  const keyOf = (name: MetricName, labels: Labels) => {
    let key: string = name
    for (const label in labels) key += `\0${label}\0${labels[label]}`
    return key
  }

  const metrics: Metrics = {
    count(name, labels = {}, by = 1) {
      const key = keyOf(name, labels)
      const known = series.get(key)
      if (known?.kind === 'counter') known.value += by
      else series.set(key, { kind: 'counter', name, labels, value: by })
    },
    counter(name, labels) {
      metrics.count(name, labels, 0)
      const known = series.get(keyOf(name, labels)) as { value: number }
      return () => void known.value++
    },
    observe(name, seconds, labels = {}) {
      const key = keyOf(name, labels)
      let known = series.get(key)
      if (known?.kind !== 'histogram') {
        known = { kind: 'histogram', name, labels, summary: emptySummary() }
        series.set(key, known)
      }
      add(known.summary, seconds)
    },
    gauge: (name, read) => void gauges.set(name, read),
    async read() {
      const all: Series[] = [...series.values()]
      for (const [name, read] of gauges) {
        const value = await read()
        if (value !== undefined) all.push({ kind: 'gauge', name, labels: {}, value })
      }
      const order = Object.keys(METRICS)
      return all.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    },
    close: () => void loop.disable(),
  }
  metrics.gauge('coffer_event_loop_delay_p99_seconds', () => {
    const p99 = loop.percentile(99) / 1e9
    loop.reset()
    return p99
  })
  metrics.gauge('coffer_heap_bytes', () => process.memoryUsage().heapUsed)
  metrics.gauge('coffer_rss_bytes', () => process.memoryUsage.rss())
  metrics.gauge('coffer_uptime_seconds', () => process.uptime())
  return metrics
}

function emptySummary(): Summary {
  const buckets = Array.from({ length: BUCKETS.length + 1 }, () => 0)
  return { count: 0, sum: 0, sumOfSquares: 0, min: Infinity, max: 0, buckets }
}

function add(summary: Summary, value: number): void {
  summary.count++
  summary.sum += value
  summary.sumOfSquares += value * value
  summary.min = Math.min(summary.min, value)
  summary.max = Math.max(summary.max, value)
  const at = BUCKETS.findIndex((bound) => value <= bound)
  summary.buckets[at < 0 ? BUCKETS.length : at]!++
}

const requestCounters = new WeakMap<Metrics, Map<string, Map<string, () => void>>>()

/** `what` is the operation and the class of the status, as in `read 2xx`. */
function countRequest(metrics: Metrics, type: string, what: string): void {
  let ofTypes = requestCounters.get(metrics)
  if (!ofTypes) requestCounters.set(metrics, (ofTypes = new Map()))
  let counters = ofTypes.get(type)
  if (!counters) ofTypes.set(type, (counters = new Map()))
  let count = counters.get(what)
  if (!count) {
    const [operation = '', code = ''] = what.split(' ')
    count = metrics.counter('coffer_requests_total', { operation, mount_type: type, code })
    counters.set(what, count)
  }
  count()
}

/** One request that has been answered. */
export function countTurn(
  metrics: Metrics,
  turn: Turn,
  answer: { status: number; seconds: number },
): void {
  const type = turn.mount?.entry.type ?? 'none'
  countRequest(metrics, type, `${turn.operation} ${Math.floor(answer.status / 100)}xx`)
  metrics.observe('coffer_request_seconds', answer.seconds)
  if (turn.refusal !== undefined) {
    const lost = 'code' in turn.refusal && turn.refusal.code === 'audit_failed'
    if (lost) metrics.count('coffer_audit_failures_total')
    return
  }
  if (turn.reply?.login) metrics.count('coffer_logins_total', { mount_type: type })
  const { tokens, leaseId } = turn.made
  for (const token of tokens) {
    metrics.count('coffer_tokens_created_total', { type: token.wrapping ? 'wrapping' : token.type })
  }
  if (leaseId) metrics.count('coffer_leases_issued_total')
}

/** The same store, with its commits timed. */
export function measuredStore(store: Store, metrics: Metrics): Store {
  return {
    type: store.type,
    get: (key) => store.get(key),
    list: (prefix, page) => store.list(prefix, page),
    async write(batch, expect, log) {
      const start = performance.now()
      try {
        return await store.write(batch, expect, log)
      } catch (error) {
        if (error instanceof StoreConflict) metrics.count('coffer_store_conflicts_total')
        throw error
      } finally {
        metrics.observe('coffer_store_commit_seconds', (performance.now() - start) / 1000)
      }
    },
    revision: () => store.revision(),
    changes: (since) => store.changes(since),
    due: (now, limit) => store.due(now, limit),
    log: (after, limit) => store.log(after, limit),
    logFromEnd: (newer) => store.logFromEnd(newer),
    close: () => store.close(),
  }
}
