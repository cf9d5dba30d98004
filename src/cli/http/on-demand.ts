/** The server, as `api.ts` asks it, loaded with the first question: many commands have none. */
import type { Settings } from '../settings.ts'
import type { Api } from './api.ts'

export function connectOnDemand(program: string, settings: Settings): Api {
  let made: Promise<Api> | undefined
  const api = () => (made ??= import('./api.ts').then(({ connect }) => connect(program, settings)))
  return {
    address: settings.address,
    call: async (ask) => (await api()).call(ask),
    secret: async (ask) => (await api()).secret(ask),
    bare: async (ask) => (await api()).bare(ask),
  }
}
