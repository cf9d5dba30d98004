/** A server of two workers that cannot start; the parent says how that ended. */
import cluster from 'node:cluster'
import { raiseWorkers } from '../../src/server/siblings.ts'

if (cluster.isPrimary) {
  const family = raiseWorkers(2, () => {})
  family.ready.then(
    () => console.log('ready'),
    (error: Error) => console.log(error.message),
  )
} else {
  process.exit(1)
}
