/**
 * What all adapters share: which generation a new connection uses, which ones the open connections
 * were made with, and when the last one of an older generation is gone.
 *
 *   new generation ─ try it ─ works ─> new connections use it, old idle ones close ─> none left
 *        seen                          applied                                        drained
 *                  └ refused ─> nack; new connections keep the one that works
 */
import { isAuthFailure } from '../auth-failure.ts'
import { isPassing } from '../errors.ts'
import { sleep } from '../http.ts'
import { type Credential } from './credential.ts'
import { type RotatingCredential } from './source.ts'

export type RolloverOptions = {
  /** A login with it, and nothing else. Absent where nothing stays logged in: then it is just used. */
  test?: (credential: Credential) => Promise<void>
  /** Closes what is idle, and sees to it that what is busy closes soon. */
  retire: () => void
}

export type Rollover = {
  /** What a new connection is to log in with. */
  readonly inUse: Credential
  /** Whether something made with it is to go. */
  isOld(credential: Credential): boolean
  /** Counts one connection, from before its login until the returned function is called. */
  hold(credential: Credential): () => void
  /** A login with it has worked. */
  proven(credential: Credential): void
  /** A login with it was refused: true when another one is in use now and the login may be tried again. */
  refused(credential: Credential): Promise<boolean>
  /** The same for drivers with callbacks; `then` may throw what it likes. */
  afterRefusal(credential: Credential, then: (again: boolean) => void): void
  close(): Promise<void>
}

const TEST_TRIES = 3
const TEST_AGAIN_MS = 200
const REFUSED_AGAIN_MS = 10_000

export function createRollover(source: RotatingCredential, options: RolloverOptions): Rollover {
  const { test, retire } = options
  const end = new AbortController()
  const held = new Map<number, number>()
  let inUse = source.current
  /** Serials of what has been told, so that each is told once. */
  let applied = 0
  let drained = 0
  let trying: Promise<void> = Promise.resolve()

  const tellDrained = () => {
    const isHeld = [...held].some(([serial, count]) => serial < inUse.serial && count > 0)
    if (isHeld || applied < inUse.serial || drained >= inUse.serial) return
    drained = inUse.serial
    source.tell(inUse, 'drained')
  }
  const tellApplied = (credential: Credential) => {
    if (credential.serial !== inUse.serial || applied >= credential.serial) return
    applied = credential.serial
    source.tell(credential, 'applied')
    tellDrained()
  }
  const use = (credential: Credential) => {
    if (credential.serial <= inUse.serial) return
    inUse = credential
    retire()
  }

  const refuse = (credential: Credential) => {
    source.tell(credential, 'nack', 'the login was refused')
    // It may be a replica that lags behind: as long as there is no newer one, this one is the hope.
    const again = async () => {
      await sleep(REFUSED_AGAIN_MS, end.signal)
      await queue(credential)
    }
    again().catch(() => {})
  }

  const adopt = async (credential: Credential): Promise<void> => {
    // A newer one has come while this one waited for its turn.
    const { serial } = credential
    if (end.signal.aborted || serial < source.current.serial || serial <= inUse.serial) return
    const outcome = test ? await outcomeOf(test, credential, end.signal) : 'works'
    if (end.signal.aborted) return
    if (outcome === 'refused') return refuse(credential)
    use(credential)
    if (outcome === 'works') tellApplied(credential)
  }
  const queue = (credential: Credential): Promise<void> => {
    trying = trying.then(() => adopt(credential)).catch(source.onError)
    return trying
  }
  const stop = source.onChange((credential) => void queue(credential))
  // The first one is in use already: a test only tells the server whether it works.
  const introduce = async (test: (credential: Credential) => Promise<void>) => {
    const outcome = await outcomeOf(test, inUse, end.signal)
    if (outcome === 'works') tellApplied(inUse)
    if (outcome === 'refused') source.tell(inUse, 'nack', 'the login was refused')
  }
  if (test) trying = introduce(test)
  else tellApplied(inUse)

  const refused = async (credential: Credential): Promise<boolean> => {
    // Something newer is in use already: no need to ask.
    if (credential.serial < inUse.serial) return true
    try {
      const newest = await source.refreshNow()
      await (newest.serial > inUse.serial ? queue(newest) : trying)
    } catch (error) {
      // The refusal is the better news to give; that the server is away is told aside.
      if (!end.signal.aborted && !isPassing(error)) source.onError(error)
    }
    return credential.serial < inUse.serial
  }

  return {
    get inUse() {
      return inUse
    },
    isOld: ({ serial }) => serial < inUse.serial,
    hold({ serial }) {
      held.set(serial, (held.get(serial) ?? 0) + 1)
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        const left = (held.get(serial) ?? 1) - 1
        if (left > 0) held.set(serial, left)
        else held.delete(serial)
        tellDrained()
      }
    },
    proven: tellApplied,
    refused,
    afterRefusal(credential, then) {
      // Out of the promise, so that what the app throws is not taken for ours.
      refused(credential).then(
        (again) => process.nextTick(then, again),
        () => process.nextTick(then, false),
      )
    },
    async close() {
      end.abort(new DOMException('the pool was closed', 'AbortError'))
      stop()
      await source.close()
    },
  }
}

/** Only a refusal is a refusal: a target that is away, or full, has said nothing of the credential. */
async function outcomeOf(
  test: (credential: Credential) => Promise<void>,
  credential: Credential,
  signal: AbortSignal,
): Promise<'works' | 'refused' | 'unknown'> {
  for (let tries = 1; ; tries++) {
    try {
      await test(credential)
      return 'works'
    } catch (error) {
      if (signal.aborted) return 'unknown'
      if (tries === TEST_TRIES) return isAuthFailure(error) ? 'refused' : 'unknown'
      await sleep(TEST_AGAIN_MS * tries, signal).catch(() => {})
    }
  }
}
