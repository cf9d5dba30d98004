/** An engine that lends things, with a foreign system that only remembers what it was given back. */
import { defineEngine, endpoint, lease, t } from '../../src/kit/kit.ts'

/** How long a thing is lent. */
export const RENTAL_SECONDS = 600

export function rental(givenBack: Set<string>) {
  return defineEngine({
    type: 'rental',
    help: 'Lends things.',
    endpoints: [
      endpoint('thing/:name', {
        help: 'A thing for ten minutes.',
        fields: { name: t.name({ help: 'Which.' }) },
        read: ({ data: { name } }) =>
          lease(
            { name },
            {
              kind: 'thing',
              secret: { name },
              ttlSeconds: RENTAL_SECONDS,
              maxTtlSeconds: RENTAL_SECONDS,
              renewable: false,
            },
          ),
      }),
    ],
    leases: { thing: { revoke: async ({ secret }) => void givenBack.add(String(secret['name'])) } },
  })
}
