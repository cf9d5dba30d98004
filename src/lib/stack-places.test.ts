import { deepEqual, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { stackPlaces } from './stack-places.ts'

class Named extends Error {
  override readonly name = 'ANameThatIsLongerThanThatOfItsParent'
}

test('stackPlaces() leaves the message out, whatever it looks like', () => {
  for (const text of ['CANARY', 'CANARY at x', 'x\n    at CANARY (y:1:1)\n    at CANARY', '']) {
    for (const error of [new Error(text), new Named(text), new SyntaxError(text)]) {
      const places = stackPlaces(error)
      match(places[0]!, /stack-places\.test\.ts/)
      ok(places.every((place) => !place.includes('CANARY')))
    }
  }
  const changed = new Error('CANARY at x')
  ok(changed.stack)
  changed.message = 'other'
  deepEqual(stackPlaces(changed), [])
})
