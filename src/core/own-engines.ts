/** The engines that are core's own: declared like any engine, but given the core. */
import { type Engine } from '../kit/engine.ts'
import { type Core } from './core.ts'
import { identityEngine } from './identity/engine.ts'
import { sysEngine, type SysParts } from './sys/sys.ts'
import { tokenEngine } from './token/engine.ts'

export type OwnEngines = { sys: Engine; token: Engine; identity: Engine }

export function ownEngines(core: Core, parts: SysParts = {}): OwnEngines {
  return {
    sys: sysEngine(core, parts),
    token: tokenEngine(core),
    identity: identityEngine(core),
  }
}
