/** The endpoints of methods: make, list, read, change and delete one of each type. */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { uuid } from '../../lib/random.ts'
import { type Parsed, t } from '../../schema/field.ts'
import { scopeOf, turnOf } from '../turn.ts'
import { enforcements } from './enforcement.ts'
import {
  allMethods,
  type ForeignMethod,
  type Method,
  METHOD_TYPES,
  methodById,
  type MethodType,
  removeMethod,
  saveMethod,
} from './method.ts'
import {
  FOREIGN_FIELDS,
  foreignSettings,
  shownMethod,
  totpFields,
  totpSettings,
} from './method-fields.ts'

const method_id = t.segment({ help: 'Id of the method.' })
const NAME_BYTES_MAX = 128

export function methodEndpoints(): Endpoint[] {
  return [
    endpoint('mfa/method', {
      help: 'The methods of all types.',
      fields: {},
      list: (call) => listed(call),
    }),
    endpoint('mfa/method/:method_id', {
      help: 'A method of any type.',
      fields: { method_id },
      read: (call) => read(call, undefined),
    }),
    ...METHOD_TYPES.flatMap(endpointsOf),
  ]
}

const HELP: Record<MethodType, string> = {
  totp: 'One-time codes of an app (RFC 6238).',
  duo: 'Duo. It can be configured, but this build does not ask the service.',
  okta: 'Okta. It can be configured, but this build does not ask the service.',
  pingid: 'PingID. It can be configured, but this build does not ask the service.',
}

function endpointsOf(type: MethodType): Endpoint[] {
  const fields = type === 'totp' ? totpFields : FOREIGN_FIELDS[type]
  return [
    endpoint(`mfa/method/${type}`, {
      help: `Makes a method. ${HELP[type]}`,
      fields,
      list: (call) => listed(call, type),
      write: (call) => write(call, type, undefined),
      ...(type === 'totp' && { example: { issuer: 'coffer', method_name: 'app' } }),
    }),
    endpoint(`mfa/method/${type}/:method_id`, {
      help: `A method. ${HELP[type]}`,
      fields: { ...fields, method_id },
      read: (call) => read(call as never, type),
      async write(call) {
        const id = (call.data as { method_id: string }).method_id
        const before = await methodById(scopeOf(call as never), id)
        if (before?.type !== type) {
          refuse(`no configuration found for method ID ${JSON.stringify(id)}`)
        }
        await write(call, type, before)
        return undefined
      },
      delete: (call) => remove(call as never, type),
    }),
  ]
}

type ById = Call<{ method_id: string }>

async function read(call: ById, type: MethodType | undefined) {
  const method = await methodById(scopeOf(call as never), call.data.method_id)
  if (!method || (type && method.type !== type)) return undefined
  return shownMethod(method, turnOf(call as never).ns.id)
}

async function listed(call: Call<unknown>, type?: MethodType) {
  const all = await allMethods(scopeOf(call as never))
  const methods = all.filter((method) => type === undefined || method.type === type)
  if (methods.length === 0) return undefined
  const namespaceId = turnOf(call as never).ns.id
  const info = methods.map((method) => [method.id, shownMethod(method, namespaceId)])
  return { keys: methods.map(({ id }) => id), key_info: Object.fromEntries(info) }
}

async function write(call: Call<unknown>, type: MethodType, before: Method | undefined) {
  const scope = scopeOf(call as never)
  const data = call.data as Record<string, unknown>
  const id = before?.id ?? uuid(call.random)
  const name = (data['method_name'] as string | undefined) ?? before?.name ?? ''
  await checkName(scope, id, name)
  const common = { id, name }
  if (type === 'totp') {
    const settings = totpSettings(
      before?.type === 'totp' ? before : undefined,
      data as Parsed<typeof totpFields>,
    )
    saveMethod(scope, { ...settings, ...common, type })
  } else {
    const settings = foreignSettings(type, before as ForeignMethod | undefined, data)
    saveMethod(scope, { ...settings, ...common, type })
  }
  return { method_id: id }
}

/** A name stands for one method, and never for the id of another. */
async function checkName(scope: Scope, id: string, name: string): Promise<void> {
  if (name === '') return
  if (Buffer.byteLength(name) > NAME_BYTES_MAX || !/^[\w.-]+$/.test(name)) {
    refuse('method_name must be letters, digits, dots, dashes and underscores')
  }
  const others = (await allMethods(scope)).filter((method) => method.id !== id)
  if (others.some((method) => method.name === name || method.id === name)) {
    refuse('method_name is already in use')
  }
}

async function remove(call: ById, type: MethodType) {
  const scope = scopeOf(call as never)
  const method = await methodById(scope, call.data.method_id)
  if (method?.type !== type) return undefined
  const users = (await enforcements(scope)).filter((one) => one.mfa_method_ids.includes(method.id))
  if (users.length > 0) {
    const names = users.map(({ name }) => name).join(', ')
    refuse(`methodID is still used by an enforcement configuration: ${names}`)
  }
  await removeMethod(scope, method.id)
  return undefined
}
