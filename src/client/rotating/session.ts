/**
 * One long-lived session: which login it stands on, and how it comes to stand on a newer one without
 * being cut. Used by both Redis clients.
 */
import { type Credential } from './credential.ts'
import { type Rollover } from './rollover.ts'

export type LiveSession = {
  /** A login begins: what it is to use. Whatever the session stood on before is gone. */
  begin(): Credential
  /** That login has worked. */
  ready(): void
  /** The connection is gone. */
  lost(): void
  /** Logs in anew until nothing newer is in use; one at a time, whoever asks. */
  renew(): Promise<void>
}

export function createLiveSession(
  rollover: Rollover,
  /** Logs the open session in with another credential; rejects when that is refused. */
  logIn: (credential: Credential) => Promise<unknown>,
): LiveSession {
  type Standing = { credential: Credential; free: () => void }
  const now: { standing: Standing | undefined; isReady: boolean } = {
    standing: undefined,
    isReady: false,
  }
  let renewing: Promise<void> | undefined

  const stand = (credential: Credential) => {
    const before = now.standing
    now.standing = { credential, free: rollover.hold(credential) }
    before?.free()
  }
  const lost = () => {
    now.isReady = false
    now.standing?.free()
    now.standing = undefined
  }
  const old = () => {
    const { standing, isReady } = now
    return standing && isReady && rollover.isOld(standing.credential) ? standing : undefined
  }
  const renewAll = async (): Promise<void> => {
    for (let before = old(); before; before = old()) {
      const { inUse } = rollover
      // From here on the session may stand on either.
      const free = rollover.hold(inUse)
      try {
        await logIn(inUse)
        // Unless it was lost meanwhile: then another login has begun, or will.
        if (now.standing !== before) continue
        stand(inUse)
        rollover.proven(inUse)
      } catch (error) {
        // A session that was lost comes back with the newest login by itself.
        if (now.standing === before && now.isReady) throw error
      } finally {
        free()
      }
    }
  }

  return {
    begin() {
      now.isReady = false
      stand(rollover.inUse)
      return now.standing!.credential
    },
    ready() {
      now.isReady = true
      if (now.standing) rollover.proven(now.standing.credential)
    },
    lost,
    async renew() {
      // Again, when the newest came just as a renewal had looked for the last time.
      do {
        renewing ??= renewAll().finally(() => (renewing = undefined))
        await renewing
      } while (old())
    },
  }
}
