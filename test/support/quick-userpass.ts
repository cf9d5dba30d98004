/** A userpass without the work of a password hash, for tests of what core does with logins. */
import {
  defineEngine,
  type Engine,
  endpoint,
  Failure,
  login,
  refuse,
  t,
  TOKEN_SETTINGS,
  tokenParams,
} from '../../src/kit/kit.ts'
import { ENGINES } from '../../src/server/builtin.ts'

const quickUserpass = defineEngine({
  type: 'userpass',
  class: 'auth',
  help: 'For tests.',
  endpoints: [
    endpoint('users/:name', {
      help: 'A user.',
      fields: { name: t.name({ help: 'Name.' }), password: t.string({ help: 'Password.' }) },
      write({ data, store }) {
        store.put(`user/${data.name.toLowerCase()}`, data)
        return undefined
      },
    }),
    endpoint('login/:name', {
      help: 'A login.',
      access: 'login',
      fields: {
        name: t.name({ help: 'Name.' }),
        password: t.string({ help: 'Password.', default: '' }),
      },
      userOf: ({ data }) => data.name.toLowerCase(),
      async write({ data, store }) {
        if (data.password === '') throw new Failure('internal', 'missing password')
        const name = data.name.toLowerCase()
        const user = await store.get<{ password: string }>(`user/${name}`)
        if (user?.password !== data.password) refuse('invalid username or password')
        if (name === 'elsewhere') throw new Failure('permission_denied')
        const token = tokenParams(TOKEN_SETTINGS)
        return login({ alias: name, displayName: name, metadata: {}, token })
      },
    }),
  ],
})
/** All engines of this build, with that one for userpass. */
export const QUICK_ENGINES: readonly Engine[] = [
  ...ENGINES.filter(({ type }) => type !== 'userpass'),
  quickUserpass,
]
