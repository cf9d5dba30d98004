/** Tells when one of many secrets has a new version, each secret being watched once. */
import { type Client } from '../client/connect.ts'
import { type Reference } from '../client/reference.ts'

export type WatchOptions = {
  client: Client
  references: readonly Reference[]
  /** Called once for each secret at the beginning too: it may have changed since it was read. */
  onChange: () => void
  /** Told once of every run of failures, with the secret it is about. */
  onError: (place: string, error: unknown) => void
}

/** Returns the end of it. A reference to a fixed version is not watched: it cannot change. */
export function watchReferences({
  client,
  references,
  onChange,
  onError,
}: WatchOptions): () => void {
  const moving = references.filter(({ version }) => version === undefined)
  const places = new Map(moving.map((ref) => [`${ref.mount}/${ref.path}`, ref]))
  const followed = [...places].map(([place, { text }]) => {
    return client.follow(text, onChange, { onError: (error) => onError(place, error) })
  })
  return () => {
    for (const { stop } of followed) stop()
  }
}
