/** A secret whose password a real server rotates by itself, in a hurry, and how that stands. */
import { equal } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RotationStatus } from './rotating-server.ts'
import { type Api } from './server.ts'

export type Standing = RotationStatus & { hold_note: string }
export type GeneratedRotation = {
  now(): Promise<void>
  status(): Promise<Standing>
  /** Asks for the status until it is so. */
  until(is: (now: Standing) => boolean): Promise<Standing>
  /** Until the old one is revoked. */
  over(): Promise<Standing>
  /** Until it says that it cannot go on; after a second, that is, not after an hour. */
  held(): Promise<Standing>
}

const RULES = { kind: 'generated', field: 'password', quiet: '1s', undo_window: '1s' }

export async function generatedRotation(api: Api, path: string): Promise<GeneratedRotation> {
  const rules = { ...RULES, max_grace: '1s' }
  equal((await api.write(`sys/coffer/rotate/config/${path}`, rules)).status, 204)
  const status = async () =>
    (await api.read(`sys/coffer/rotate/status/${path}`)).at('data') as Standing
  const until = async (is: (now: Standing) => boolean) => {
    for (let i = 0; ; i++) {
      const now = await status()
      if (is(now)) return now
      if (i > 600) throw new Error(`it has not come about: ${JSON.stringify(now)}`)
      await sleep(100)
    }
  }
  return {
    status,
    until,
    async now() {
      equal((await api.write(`sys/coffer/rotate/now/${path}`)).status, 200)
    },
    over: () => until((now) => now.state === 'IDLE' && now.previous_generation === 0),
    held: () => until((now) => now.state === 'HELD'),
  }
}
