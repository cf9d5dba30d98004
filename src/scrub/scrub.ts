/**
 * `coffer/scrub`: keeps secrets out of logs and answers.
 *
 *   const scrubber = createScrubber({ rules: secretRules() })
 *   const client = await connect({ …, onSecret: (value, name) => scrubber.add({ value, name }) })
 *   guardProcess(scrubber)
 */
export { type KnownOptions, type KnownValue } from './known-values.ts'
export { createScrubber, type Rules, type Scrubber, type ScrubberOptions } from './scrubber.ts'
export { scrubStream, type StreamOptions } from './stream.ts'
export { guardProcess, type GuardOptions } from './guard.ts'
export { guardResponse, guardServer } from './response.ts'
export { scrubDestination, scrubFormat } from './loggers.ts'
export { compileRules as secretRules } from '../rules/matcher.ts'
