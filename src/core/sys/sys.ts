/** `sys/`: the server's own endpoints, declared like any engine's, one file per noun. */
import { defineEngine, type Engine } from '../../kit/engine.ts'
import { type Core } from '../core.ts'
import { auditEndpoints, type AuditOptions } from './audit.ts'
import { auditedHeaderEndpoints } from './audited-headers.ts'
import { authMountsEndpoints } from './auth-mounts.ts'
import { capabilitiesEndpoints } from './capabilities.ts'
import { cofferFingerprintsEndpoints } from './coffer-fingerprints.ts'
import { cofferHoneyEndpoints } from './coffer-honey.ts'
import { cofferKvEndpoints } from './coffer-kv.ts'
import { cofferExplainEndpoints } from './coffer-explain.ts'
import { cofferLeakedEndpoints } from './coffer-leaked.ts'
import { cofferRotateConfigEndpoints } from './coffer-rotate-config.ts'
import { cofferRotateEndpoints } from './coffer-rotate.ts'
import { cofferReadEndpoints } from './coffer-read.ts'
import { cofferWhereaboutsEndpoints } from './coffer-whereabouts.ts'
import { cofferWatchEndpoints } from './coffer-watch.ts'
import { configEndpoints, type LoggerOptions } from './config.ts'
import { counterEndpoints } from './host-counters.ts'
import { generateRootEndpoints } from './generate-root.ts'
import { hostEndpoints, type HostOptions } from './host.ts'
import { internalEndpoints } from './internal.ts'
import { keyEndpoints } from './keys.ts'
import { monitorEndpoints, type MonitorOptions } from './monitor.ts'
import { metricsEndpoints, type MetricsOptions } from './metrics.ts'
import { lockedUsersEndpoints } from './locked-users.ts'
import { openapiEndpoints, type OpenapiOptions } from './openapi.ts'
import { mountTuneEndpoints } from './mount-tune.ts'
import { mfaValidateEndpoints } from './mfa-validate.ts'
import { mountsEndpoints } from './mounts.ts'
import { namespaceEndpoints } from './namespaces.ts'
import { passwordPolicyEndpoints } from './password-policies.ts'
import { pluginEndpoints } from './plugins.ts'
import { policiesEndpoints } from './policies.ts'
import { quotasEndpoints } from './quotas.ts'
import { rawEndpoints } from './raw.ts'
import { rekeyEndpoints } from './rekey.ts'
import { remountEndpoints } from './remount.ts'
import { leaseEndpoints } from './leases.ts'
import { sealEndpoints } from './seal.ts'
import { toolsEndpoints } from './tools.ts'
import { uiMountsEndpoints } from './ui-mounts.ts'
import { wrappingEndpoints } from './wrapping.ts'

/** What the server gives its own endpoints; each of them is optional. */
export type SysParts = AuditOptions &
  HostOptions &
  LoggerOptions &
  MetricsOptions &
  MonitorOptions &
  OpenapiOptions

export function sysEngine(core: Core, parts: SysParts = {}): Engine {
  return defineEngine({
    type: 'system',
    help: 'Control, policy and observation of the server itself.',
    endpoints: [
      ...sealEndpoints(core),
      ...mfaValidateEndpoints(core),
      ...mountsEndpoints(core),
      ...mountTuneEndpoints(core),
      ...authMountsEndpoints(core),
      ...remountEndpoints(core),
      ...uiMountsEndpoints(core),
      ...namespaceEndpoints(core),
      ...policiesEndpoints(),
      ...cofferKvEndpoints(core),
      ...cofferFingerprintsEndpoints(core),
      ...cofferHoneyEndpoints(core),
      ...cofferLeakedEndpoints(core),
      ...cofferReadEndpoints(core),
      ...cofferRotateEndpoints(core),
      ...cofferRotateConfigEndpoints(core),
      ...cofferExplainEndpoints(core),
      ...cofferWatchEndpoints(core),
      ...cofferWhereaboutsEndpoints(core),
      ...passwordPolicyEndpoints(),
      ...pluginEndpoints(core),
      ...internalEndpoints(core),
      ...capabilitiesEndpoints(core),
      ...wrappingEndpoints(core),
      ...leaseEndpoints(core),
      ...auditEndpoints(core, parts),
      ...auditedHeaderEndpoints(),
      ...hostEndpoints(core, parts),
      ...counterEndpoints(core),
      ...keyEndpoints(core),
      ...configEndpoints(core, parts),
      ...lockedUsersEndpoints(core),
      ...quotasEndpoints(core),
      ...toolsEndpoints(),
      ...metricsEndpoints(core, parts),
      ...monitorEndpoints(parts),
      ...openapiEndpoints(core, parts),
      ...rawEndpoints(core),
      ...rekeyEndpoints(core),
      ...generateRootEndpoints(core),
    ],
  })
}
