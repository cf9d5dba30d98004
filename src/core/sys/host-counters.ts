/** `sys/internal/counters`: what Vault counts for billing, as far as it means anything here. */
import { Failure, refuse } from '../../kit/failure.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { reply } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { entityIds } from '../identity/entities.ts'
import { scopeOf } from '../turn.ts'

export function counterEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('internal/counters/tokens', {
      help: 'How many service tokens there are.',
      fields: {},
      async read(call) {
        const accessors = await core.tokens.accessors(scopeOf(call as never))
        return { counters: { service_tokens: { total: accessors.length } } }
      },
    }),
    endpoint('internal/counters/entities', {
      help: 'How many entities there are.',
      fields: {},
      async read(call) {
        const ids = await entityIds(scopeOf(call as never))
        return { counters: { entities: { total: ids.length } } }
      },
    }),
    endpoint('internal/counters/requests', {
      help: 'Was removed from Vault long ago.',
      fields: {},
      read() {
        throw new Failure('unsupported_path', 'functionality on this path has been removed', {
          wrapped: true,
        })
      },
    }),
    activity('internal/counters/activity'),
    activity('internal/counters/activity/monthly'),
    { ...activity('internal/counters/activity/export'), access: 'sudo' },
    configEndpoint(),
  ]
}

/** Nobody is billed by this server, so no activity is recorded: 204, as Vault says it. */
function activity(path: string): Endpoint {
  return endpoint(path, {
    help: 'Client activity; not recorded.',
    fields: {
      start_time: t.string({ help: 'From when.', clear: true }),
      end_time: t.string({ help: 'Until when.', clear: true }),
      limit_namespaces: t.int({ help: 'Ignored.', clear: true }),
      current_billing_period: t.bool({ help: 'Ignored.', clear: true }),
    },
    read: () => reply({ status: 204 }),
  })
}

function configEndpoint(): Endpoint {
  return endpoint('internal/counters/config', {
    help: 'How client activity is recorded: not at all.',
    fields: {
      enabled: t.string({ help: '"disable" or "default".', default: 'default', clear: true }),
      default_report_months: t.int({ help: 'Ignored.', clear: true }),
      retention_months: t.int({ help: 'Ignored.', clear: true }),
    },
    read: () => ({
      default_report_months: 12,
      enabled: 'default-disabled',
      queries_available: false,
      retention_months: 48,
      minimum_retention_months: 0,
      reporting_enabled: false,
    }),
    write({ data }) {
      if (data.enabled === 'enable') refuse('this server does not record client activity')
      return undefined
    },
  })
}
