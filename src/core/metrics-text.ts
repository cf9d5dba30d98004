/** Metrics as their readers want them: Prometheus' text, and the JSON that Vault prints. */
import { rfc3339 } from '../lib/clock.ts'
import { BUCKETS, type Labels, METRICS, type Series, type Summary } from './metrics.ts'

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export function prometheusText(all: readonly Series[]): string {
  let text = ''
  let last = ''
  for (const series of all) {
    const { name, labels } = series
    if (name !== last) text += `# HELP ${name} ${METRICS[name]}\n# TYPE ${name} ${series.kind}\n`
    last = name
    if (series.kind === 'histogram') text += histogram(name, labels, series.summary)
    else text += `${name}${braces(labels)} ${series.value}\n`
  }
  return text
}

function histogram(name: string, labels: Labels, summary: Summary): string {
  let text = ''
  let below = 0
  for (const [i, count] of summary.buckets.entries()) {
    below += count
    const le = i < BUCKETS.length ? String(BUCKETS[i]) : '+Inf'
    text += `${name}_bucket${braces({ ...labels, le })} ${below}\n`
  }
  return (
    `${text}${name}_sum${braces(labels)} ${summary.sum}\n` +
    `${name}_count${braces(labels)} ${summary.count}\n`
  )
}

function braces(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

const escape = (value: string) =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

/** The shape of Go's in-memory sink, with dots where Prometheus has underscores. */
export function metricsJson(all: readonly Series[], now: number): Record<string, unknown> {
  const counters: unknown[] = []
  const gauges: unknown[] = []
  const samples: unknown[] = []
  for (const series of all) {
    const Name = series.name.replace('_', '.')
    const Labels = series.labels
    if (series.kind === 'gauge') gauges.push({ Name, Value: series.value, Labels })
    else if (series.kind === 'counter') {
      const { value } = series
      counters.push({
        Name,
        Count: value,
        Rate: 0,
        Sum: value,
        Min: 0,
        Max: 0,
        Mean: 0,
        Stddev: 0,
        Labels,
      })
    } else samples.push({ Name, ...sample(series.summary), Labels })
  }
  return {
    Timestamp: `${rfc3339(now).replace('T', ' ').replace('Z', '')} +0000 UTC`,
    Gauges: gauges,
    Points: [],
    Counters: counters,
    Samples: samples,
  }
}

function sample({ count, sum, sumOfSquares, min, max }: Summary): Record<string, number> {
  const mean = count === 0 ? 0 : sum / count
  const variance = count < 2 ? 0 : Math.max((sumOfSquares - count * mean * mean) / (count - 1), 0)
  return {
    Count: count,
    Rate: 0,
    Sum: sum,
    Min: count === 0 ? 0 : min,
    Max: max,
    Mean: mean,
    Stddev: Math.sqrt(variance),
  }
}
