/** `sys/`: the server's own endpoints, declared like any engine's, one file per noun. */
import { defineEngine, type Engine } from '../../kit/engine.ts'
import { type Core } from '../core.ts'
import { sealEndpoints } from './seal.ts'

export function sysEngine(core: Core): Engine {
  return defineEngine({
    type: 'system',
    help: 'Control, policy and observation of the server itself.',
    endpoints: [...sealEndpoints(core)],
  })
}
