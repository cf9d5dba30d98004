/** An engine that lends things with leases; its foreign system is an array, which can be away. */
import { type LeaseJob } from '../../src/kit/call.ts'
import { defineEngine, endpoint, type Engine, lease, t } from '../../src/kit/kit.ts'

export type Far = { revoked: string[]; broken: boolean }

export function rental(far: Far): Engine {
  return defineEngine({
    type: 'rental',
    help: 'Lends things.',
    endpoints: [
      endpoint('thing/:name', {
        help: 'A thing for an hour.',
        fields: { name: t.name({ help: 'Which.' }) },
        read: ({ data }) =>
          lease(
            { name: data.name },
            { kind: 'thing', secret: { name: data.name }, ttlSeconds: 3600, maxTtlSeconds: 7200 },
          ),
      }),
    ],
    leases: {
      thing: {
        async revoke({ secret }: LeaseJob) {
          if (far.broken) throw new Error('the far system is away')
          far.revoked.push(String(secret['name']))
        },
      },
    },
  })
}
