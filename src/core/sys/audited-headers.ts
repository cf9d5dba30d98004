/** `sys/config/auditing/request-headers`: which headers of requests stand in the audit log. */
import { type Tx } from '../../barrier/space.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import {
  AUDITED_HEADERS_PATH,
  type AuditedHeaders,
  DEFAULT_AUDITED_HEADERS,
} from '../audited-headers.ts'
import { txOf } from '../turn.ts'

/** RFC 9110, section 5.6.2. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,128}$/
const HEADERS_MAX = 100

export function auditedHeaderEndpoints(): Endpoint[] {
  const header = t.segment({ help: 'The name of the header; upper case counts as lower case.' })
  return [
    endpoint('config/auditing/request-headers', {
      help: 'The headers of requests that stand in the audit log.',
      access: 'sudo',
      injected: true,
      fields: {},
      read: async (call) => ({ headers: await table(txOf(call as never)) }),
    }),
    endpoint('config/auditing/request-headers/:header', {
      help: 'A header of requests that stands in the audit log.',
      access: 'sudo',
      injected: true,
      fields: {
        header,
        hmac: t.bool({
          help: 'Whether its values stand there as HMACs.',
          default: false,
          clear: true,
        }),
      },
      async read(call) {
        const name = call.data.header.toLowerCase()
        const headers = await table(txOf(call as never))
        if (!Object.hasOwn(headers, name)) refuse('Could not find header in config')
        return { [name]: headers[name] }
      },
      async write(call) {
        const name = call.data.header.toLowerCase()
        if (!HEADER_NAME.test(name)) refuse('the header must be a name as HTTP has them')
        const tx = txOf(call as never)
        const headers = { ...(await table(tx)), [name]: { hmac: call.data.hmac } }
        if (Object.keys(headers).length > HEADERS_MAX) {
          refuse(`no more than ${HEADERS_MAX} headers can be audited`)
        }
        tx.put(AUDITED_HEADERS_PATH, { headers } satisfies AuditedHeaders)
        return undefined
      },
      async delete(call) {
        const tx = txOf(call as never)
        const { [call.data.header.toLowerCase()]: _, ...headers } = await table(tx)
        tx.put(AUDITED_HEADERS_PATH, { headers } satisfies AuditedHeaders)
        return undefined
      },
    }),
  ]
}

async function table(tx: Tx): Promise<AuditedHeaders['headers']> {
  return ((await tx.get<AuditedHeaders>(AUDITED_HEADERS_PATH)) ?? DEFAULT_AUDITED_HEADERS).headers
}
