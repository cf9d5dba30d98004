/**
 * `sys/internal` and what else user interfaces and support tools look for: the few facts there are,
 * and empty answers in Vault's shape where there is nothing to tell.
 */
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { bare } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { txOf } from '../turn.ts'
import { wrappingPublicKey } from '../wrapping-jwt.ts'

export function internalEndpoints(core: Core): Endpoint[] {
  return [
    ...uiEndpoints(core),
    ...messageEndpoints(),
    endpoint('internal/inspect/router/:tag', {
      help: 'The tables of the router, where that was asked for; here it cannot be.',
      access: 'sudo',
      fields: { tag: t.segment({ help: 'root, uuid, accessor or storage.' }) },
      read: () => refuse('the introspection endpoint is not enabled'),
    }),
    endpoint('experiments', {
      help: 'Experiments: none.',
      fields: {},
      read: () => ({ available: [], enabled: [] }),
    }),
    endpoint('activation-flags', {
      help: 'Features that are switched on once and for ever: none.',
      fields: {},
      read: () => ({ activated: [], unactivated: [] }),
    }),
    endpoint('wrapping/pubkey', {
      help: 'The public key of wrapping tokens in the form of a JWT.',
      access: 'public',
      fields: {},
      read: (call) => wrappingPublicKey(txOf(call as never)),
    }),
  ]
}

function uiEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('internal/ui/feature-flags', {
      help: 'Features that a user interface must know of: none.',
      access: 'public',
      fields: {},
      read: () => bare({ feature_flags: [] }),
    }),
    endpoint('internal/ui/version', {
      help: 'The version, for those who have a token.',
      fields: {},
      read: () => ({ version: core.settings.version }),
    }),
  ]
}

/** Notes of administrators to the users of a user interface. */
function messageEndpoints(): Endpoint[] {
  const none = () => undefined
  return [
    endpoint('internal/ui/unauthenticated-messages', {
      help: 'Notes for everyone who opens the user interface: none.',
      access: 'public',
      fields: {},
      read: none,
    }),
    endpoint('internal/ui/authenticated-messages', {
      help: 'Notes for everyone who has a token: none.',
      fields: {},
      read: none,
    }),
  ]
}
