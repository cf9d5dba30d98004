import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { forwardSignals } from './forward-signals.ts'

/** Which signals are listened to, and what becomes of each that comes. */
function house(onTerminal: boolean) {
  const sent: string[] = []
  const heard: string[] = []
  const names = [
    'SIGINT',
    'SIGQUIT',
    'SIGWINCH',
    'SIGTERM',
    'SIGHUP',
    'SIGUSR2',
    'SIGCONT',
  ] as const
  const before = new Map(names.map((name) => [name, new Set(process.listeners(name))]))
  const stop = forwardSignals({
    onTerminal,
    send: (name) => sent.push(name),
    heard: (name) => heard.push(name),
  })
  for (const name of names) {
    // Only the new ones are called: the test runner has handlers of its own.
    const added = process.listeners(name).filter((each) => !before.get(name)!.has(each))
    for (const listener of added) listener(name)
  }
  stop()
  const left = names.filter((name) => process.listeners(name).length !== before.get(name)!.size)
  return { sent, heard, left }
}

test('forwardSignals() sends on everything when no terminal does', () => {
  const { sent, heard, left } = house(false)
  deepEqual(sent, ['SIGINT', 'SIGQUIT', 'SIGWINCH', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGCONT'])
  deepEqual([heard, left], [[], []])
})

test('forwardSignals() does not send a second time what the terminal sends to both', () => {
  const { sent, heard } = house(true)
  deepEqual(heard, ['SIGINT', 'SIGQUIT', 'SIGWINCH'])
  deepEqual(sent, ['SIGTERM', 'SIGHUP', 'SIGUSR2'])
})

test('forwardSignals() leaves Ctrl-Z to the system on a terminal', () => {
  const before = process.listenerCount('SIGTSTP')
  const stop = forwardSignals({ onTerminal: true, send: () => {}, heard: () => {} })
  equal(process.listenerCount('SIGTSTP'), before)
  stop()
})
