/** `sys/policies/password`: how passwords that engines make have to look. */
import { type Scope } from '../../barrier/space.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure } from '../../kit/failure.ts'
import { type Random } from '../../lib/random.ts'
import { t } from '../../schema/field.ts'
import {
  generatePassword,
  parsePasswordPolicy,
  PASSWORD_CHARS_MAX,
  PASSWORD_CHARS_MIN,
  type PasswordPolicy,
  PasswordPolicyError,
} from '../password-policy.ts'
import { scopeOf } from '../turn.ts'
import { optionalText } from './mount-tune-fields.ts'

type Stored = { text: string }

const UNDER = 'password-policy/'

const wrong = (text: string) => new Failure('bad_request', text, { wrapped: true })
const missing = () => new Failure('not_found', 'policy does not exist', { wrapped: true })

/** A password by the rules of a policy of this namespace; a Failure when there is no such policy. */
export async function passwordBy(scope: Scope, name: string, random: Random): Promise<string> {
  const stored = await scope.get<Stored>(UNDER + name)
  if (!stored) throw missing()
  const password = generatePassword(parsePasswordPolicy(stored.text), random)
  if (password === undefined) {
    throw new Failure('internal', `no password was found that keeps the rules of policy "${name}"`)
  }
  return password
}

export function passwordPolicyEndpoints(): Endpoint[] {
  const name = t.name({ help: 'The name of the policy.' })
  return [
    endpoint('policies/password', {
      help: 'The names of all password policies.',
      fields: {},
      list: async (call) => ({ keys: await scopeOf(call as never).list(UNDER) }),
    }),
    endpoint('policies/password/:name', {
      help: 'A password policy: a length, and how many characters of which kinds.',
      fields: { name, policy: optionalText({ help: 'In HCL or JSON, in base64 if you like.' }) },
      async read(call) {
        const stored = await scopeOf(call as never).get<Stored>(UNDER + call.data.name)
        if (!stored) throw missing()
        return { policy: stored.text }
      },
      write(call) {
        const given = call.data.policy ?? ''
        if (given === '') throw wrong('missing policy')
        const text = decoded(given)
        if (!generatePassword(checked(text), call.random)) {
          throw wrong(
            'unable to construct test password from provided policy: are the rules impossible?',
          )
        }
        scopeOf(call as never).put(UNDER + call.data.name, { text } satisfies Stored)
        return undefined
      },
      delete(call) {
        scopeOf(call as never).remove(UNDER + call.data.name)
        return undefined
      },
      example: { policy: 'length = 20\nrule "charset" { charset = "abcdefgh0123" }' },
    }),
    endpoint('policies/password/:name/generate', {
      help: 'A password by the rules of a policy.',
      fields: { name },
      read: async (call) => ({
        password: await passwordBy(scopeOf(call as never), call.data.name, call.random),
      }),
    }),
  ]
}

/** As it is, unless all of it is base64. */
function decoded(given: string): string {
  const whole = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(
    given.trim(),
  )
  return whole ? Buffer.from(given, 'base64').toString('utf8') : given
}

function checked(text: string): PasswordPolicy {
  let policy: PasswordPolicy
  try {
    policy = parsePasswordPolicy(text)
  } catch (error) {
    if (!(error instanceof PasswordPolicyError)) throw error
    throw wrong(`invalid password policy: ${error.message}`)
  }
  if (policy.length < PASSWORD_CHARS_MIN || policy.length > PASSWORD_CHARS_MAX) {
    throw wrong(
      `passwords must be between ${PASSWORD_CHARS_MIN} and ${PASSWORD_CHARS_MAX} characters`,
    )
  }
  return policy
}
