/** `reset/:name` and `reload/:plugin`: connections are closed, and opened anew by the next who asks. */
import { endpoint, t } from '../../kit/kit.ts'
import { connectionName } from './config.ts'
import { closeTarget, connectionNamed, connections } from './connection.ts'

export const resetEndpoints = [
  endpoint('reset/:name', {
    help: 'Closes what is open to a database.',
    fields: { name: connectionName },
    async write({ data, store, mount }) {
      await connectionNamed(store, data.name)
      closeTarget({ mount, name: data.name })
      return undefined
    },
    example: {},
  }),
  endpoint('reload/:plugin_name', {
    help: 'Closes what is open to the databases of one kind.',
    fields: { plugin_name: t.segment({ help: 'The name of a plugin.' }) },
    async write({ data, store, mount }) {
      const reloaded: string[] = []
      for (const name of await connections.names(store)) {
        const found = await connections.get(store, name)
        if (found?.plugin_name !== data.plugin_name) continue
        closeTarget({ mount, name })
        reloaded.push(name)
      }
      return { connections: reloaded, count: reloaded.length }
    },
    example: {},
  }),
]
