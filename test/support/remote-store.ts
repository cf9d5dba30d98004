/** A store that is a moment away, so that requests of one core meet each other too. */
import { type Store } from '../../src/storage/store.ts'

export function remoteStore(store: Store): Store {
  const soon = () => new Promise<void>((done) => setImmediate(done))
  return Object.assign(Object.create(store) as Store, {
    async get(key: string) {
      await soon()
      return store.get(key)
    },
    async write(...given: Parameters<Store['write']>) {
      await soon()
      return store.write(...given)
    },
  })
}
