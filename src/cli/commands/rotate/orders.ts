/** `rotate now`, `hold`, `release`, `rollback`, `activate`, `reconcile`: what people do about a rotation. */
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { refusedWith } from '../../http/api.ts'
import { keyFrom } from '../../prompt.ts'
import { clean, askAbout, type At, pathArg, pathOf, stateText, type Told } from './told.ts'

const HELD = 3
const exits = { 2: 'there is no such rotation, or the server refused' }
const because = flag.string('Why. It is kept in the history.', { value: 'reason' })

type Order = { act: string; doing: string; body?: unknown; done: (told: Told) => string }

async function send(at: At, { act, doing, body = {}, done }: Order): Promise<void> {
  const told = await askAbout(at, { method: 'PUT', act, doing, body })
  if (!at.out.tabular) return at.out.structured(told ?? {})
  if (!told) return
  const status = told as unknown as Told
  at.out.line(done(status))
  if (status.trouble !== '') at.out.warn(`trouble: ${clean(status.trouble)}`)
}

const served = (told: Told): string => {
  const { path, generation, previous_generation: old } = told
  const rest = old > 0 ? `\nGeneration ${old} is revoked when nobody holds it any more.` : ''
  return `Success! Generation ${generation} of ${path} is served.${rest}`
}

export const now = defineCommand({
  path: ['rotate', 'now'],
  summary: 'Rotates now',
  help:
    'Makes a new credential, proves it, serves it, and revokes the old one when nobody holds it any ' +
    'more. While the one before is still held, that is refused, with the names of the holders. ' +
    'With -emergency they are waited for only so long, and their sessions are ended: look at ' +
    '"coffer rotate plan" first, which says whose. An assisted rotation takes the new value from a ' +
    'prompt or a pipe, never from the command line.',
  examples: [
    { does: 'And wait until it is served', line: 'coffer rotate now database/static-creds/app' },
    { does: 'After a leak', line: 'coffer rotate now -emergency -grace=10s secret/app/db' },
    {
      does: 'With a value from a pipe',
      line: 'pass show stripe | coffer rotate now -value=- secret/stripe',
    },
  ],
  args: [pathArg],
  flags: {
    emergency: flag.bool('For a leak: holders are cut off after -grace.'),
    grace: flag.duration('With -emergency: how long holders have.', { default: 10 }),
    wait: flag.string('What to wait for.', {
      default: 'published',
      oneOf: ['published', 'revoked', 'none'],
    }),
    timeout: flag.duration('How long to wait.', { default: 60 }),
    value: flag.string('Of an assisted rotation: - asks for it, or reads it from a pipe.'),
  },
  exits: { ...exits, [HELD]: 'the credential before is still held, or the rotation is on hold' },
  async run(at) {
    const { emergency, grace, wait, timeout } = at.flags
    const body = {
      ...(emergency && { emergency, grace }),
      wait,
      timeout: Math.ceil(timeout),
      ...(await givenValue(at)),
    }
    const done = (told: Told) =>
      wait === 'none' || told.state === 'STAGED' ? `${told.path}: ${stateText(told)}` : served(told)
    try {
      await send(at, { act: 'now', doing: 'rotating', body, done })
    } catch (error) {
      if (!refusedWith(error, 409)) throw error
      const hint = error.message.includes('on hold')
        ? `${at.program} rotate release -because=… ${pathOf(at)}`
        : `${at.program} rotate status ${pathOf(at)}\n      shows who holds it; -emergency does not wait for them`
      throw new CliError(error.message, { exit: HELD, hint })
    }
  },
})

async function givenValue(at: Context<{ value: ReturnType<typeof flag.string> }>) {
  const { value } = at.flags
  if (value === undefined) return {}
  if (value !== '-')
    throw new CliError('-value takes - only: a value would stay in the history of the shell')
  return { value: await keyFrom(at, at.io.stdin.isTTY === true ? undefined : '-', 'New value') }
}

export const hold = defineCommand({
  path: ['rotate', 'hold'],
  summary: 'Holds a rotation until it is released',
  help: 'Nothing is changed on the target meanwhile, and a soft revocation is undone.',
  examples: [
    { does: 'For a release', line: "coffer rotate hold -because='release day' secret/app/db" },
  ],
  args: [pathArg],
  flags: { because },
  exits,
  run: (at) =>
    send(at, {
      act: 'hold',
      doing: 'holding',
      body: { because: reason(at) },
      done: ({ path }) => `Success! ${path} is on hold`,
    }),
})

export const release = defineCommand({
  path: ['rotate', 'release'],
  summary: 'Lets a rotation go on, whoever holds the old credential',
  help:
    'Ends a hold. While holders are waited for, it says that they do not count: the old credential ' +
    'is refused softly, and revoked if nobody misses it.',
  examples: [
    {
      does: 'A host that is gone',
      line: "coffer rotate release -because='batch-3 is gone' secret/app/db",
    },
  ],
  args: [pathArg],
  flags: { because },
  exits,
  run: (at) =>
    send(at, {
      act: 'release',
      doing: 'releasing',
      body: { because: reason(at) },
      done: (told) => `Success! ${told.path} goes on: ${stateText(told)}`,
    }),
})

function reason({ flags }: { flags: { because: string | undefined } }): string {
  if (flags.because) return flags.because
  throw new CliError('say why: -because=…', { hint: 'it is kept in the history of the rotation' })
}

export const rollback = defineCommand({
  path: ['rotate', 'rollback'],
  summary: 'Serves the credential before again',
  help: 'Possible until the old one is revoked. Before publication, the candidate is given up.',
  examples: [
    { does: 'The app cannot use the new one', line: 'coffer rotate rollback secret/app/db' },
  ],
  args: [pathArg],
  exits,
  run: (at) => send(at, { act: 'rollback', doing: 'rolling back', done: served }),
})

export const activate = defineCommand({
  path: ['rotate', 'activate'],
  summary: 'Serves a value that is staged',
  examples: [{ does: 'After it was proven', line: 'coffer rotate activate secret/stripe' }],
  args: [pathArg],
  exits,
  run: (at) => send(at, { act: 'activate', doing: 'activating', done: served }),
})

export const reconcile = defineCommand({
  path: ['rotate', 'reconcile'],
  summary: 'Makes a served credential work again, or serves what works',
  help:
    'Tries the served credential, and sets it on the target anew where that refuses it. With -adopt ' +
    'what somebody has set there is served instead, once it has logged in; its value is asked for, ' +
    'or read from a pipe.',
  examples: [
    { does: 'Set it anew', line: 'coffer rotate reconcile database/static-creds/app' },
    {
      does: 'Take over a password',
      line: 'coffer rotate reconcile -adopt=password database/static-creds/app',
    },
  ],
  args: [pathArg],
  flags: {
    adopt: flag.string('The field of the credential whose value works.', { value: 'field' }),
  },
  exits: { ...exits, 1: 'it is still not in sync' },
  async run(at) {
    const { adopt } = at.flags
    const value =
      adopt === undefined
        ? undefined
        : await keyFrom(at, at.io.stdin.isTTY === true ? undefined : '-', adopt)
    const body = adopt === undefined ? {} : { adopt: { [adopt]: value } }
    let drift = ''
    await send(at, {
      act: 'reconcile',
      doing: 'reconciling',
      body,
      done(told) {
        drift = told.drift
        return `${told.path}: ${told.drift}`
      },
    })
    return at.out.tabular && drift !== 'in_sync' ? 1 : 0
  },
})
