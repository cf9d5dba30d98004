import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '../kit/failure.ts'
import { JsonText } from '../kit/json-text.ts'
import { Reply } from '../kit/reply.ts'
import { StoreConflict } from '../storage/store.ts'
import { canonicalPath } from './canonical-path.ts'
import { errorText, failureOf, failureResponse, response } from './envelope.ts'
import { newTurn, type Turn } from './turn.ts'

function turn(verb: 'read' | 'list' | 'write', reply?: Partial<Reply>): Turn {
  const made = newTurn(
    {
      id: 'the-id',
      verb,
      path: canonicalPath('a/b'),
      data: {},
      token: undefined,
      wrapTtlSeconds: 0,
      remoteAddress: '',
      remotePort: 0,
      rawHeaders: [],
      receivedAt: 0,
    },
    0,
  )
  if (reply) made.reply = Object.assign(new Reply(), reply)
  return made
}

const said = (made: Turn) => {
  const { status, body } = response(made)
  return [status, body.toString()] as const
}

test('failureOf() tells nothing of what is not a Failure', () => {
  equal(failureOf(new Error('CANARY'), 'id').message, 'internal error (request id)')
  equal(failureOf('CANARY', 'id').message, 'internal error (request id)')
  equal(failureOf(new StoreConflict(), 'id').code, 'conflict')
  equal(errorText(new Error('CANARY')), 'internal error')
})

test('failureResponse() has an empty list for an empty message, and the long form when asked', () => {
  const text = (failure: Failure) => failureResponse(failure).body
  equal(text(new Failure('not_found')), '{"errors":[]}\n')
  equal(text(new Failure('bad_request', 'no "x"')), '{"errors":["no \\"x\\""]}\n')
  deepEqual(
    JSON.parse(text(new Failure('permission_denied', undefined, { wrapped: true })) as string),
    {
      errors: ['1 error occurred:\n\t* permission denied\n\n'],
    },
  )
})

test('response() of nothing is 204 for a change and 404 for a question', () => {
  deepEqual(said(turn('write')), [204, ''])
  deepEqual(said(turn('read')), [404, '{"errors":[]}\n'])
  deepEqual(said(turn('list', { data: { keys: [] } })), [404, '{"errors":[]}\n'])
  equal(said(turn('list', { data: { keys: [] }, warnings: ['w'] }))[0], 200)
  equal(said(turn('write', { status: 200 }))[0], 200)
})

test('response() has every key of the envelope, always', () => {
  const [status, text] = said(turn('read', { data: new JsonText('{"a":1.0}') }))
  equal(status, 200)
  equal(
    text,
    '{"request_id":"the-id","lease_id":"","renewable":false,"lease_duration":0,"data":{"a":1.0}' +
      ',"wrap_info":null,"warnings":null,"auth":null,"mount_type":""}\n',
  )
})

test('response() of a wrapped answer does not tell the request it came from', () => {
  const [, text] = said(turn('read', { wrapInfo: { token: 't' } }))
  equal((JSON.parse(text) as Record<string, unknown>)['request_id'], '')
})

test('response() of a refusal holds nothing of the reply', () => {
  const made = turn('read', { data: { a: 'CANARY' } })
  made.refusal = new Failure('permission_denied')
  deepEqual(said(made), [403, '{"errors":["permission denied"]}\n'])
})
