/** `scrub`: what is read from standard input goes to standard output without the secrets in it. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { isObject } from '../../lib/json.ts'
import { compileRules } from '../../rules/matcher.ts'
import { createScrubber, type Scrubber } from '../../scrub/scrubber.ts'
import { scrubStream } from '../../scrub/stream.ts'
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { indexFromFile } from './fingerprints-file.ts'
import { indexKeyFlag } from './index-key-flag.ts'
import { whyUnreadable } from '../unreadable.ts'
import { locate } from './kv/place.ts'

const flags = {
  env: flag.bool('Hide the values of environment variables whose names say that they are secret.'),
  from: flag.list('Hide what this secret holds, now and when it changes. May be given many times.'),
  index: flag.string('Hide what this file of `coffer fingerprints` knows.'),
  'index-key': indexKeyFlag,
  rules: flag.bool('Hide what looks like a secret by the rules, too.', { default: true }),
  show: flag.string('In the place of a secret: where it is kept, or a tag.', {
    default: 'name',
    oneOf: ['name', 'tag'],
  }),
  'tag-key-file': flag.string('Tags of two logs are alike when they are made with the same file.'),
}

export const command = defineCommand({
  path: ['scrub'],
  summary: 'Takes secrets out of a log on its way',
  help:
    'Copies standard input to standard output without the secrets in it. Known values (-env, -from) ' +
    'are found in every form they are usually written in: plain, escaped, percent-encoded, hex, ' +
    'base64. Other secrets are found by the rules, in whole lines. A line that has no end yet, such ' +
    'as a prompt, waits a tenth of a second. Values that are short or plain words are left as they ' +
    'are; standard error says how many.',
  examples: [
    { does: 'Everything an app prints', line: 'app 2>&1 | coffer scrub' },
    { does: 'With what the vault has for it', line: 'app 2>&1 | coffer scrub -from=secret/app/db' },
    {
      does: 'A log that can still be joined',
      line: 'coffer scrub -show=tag -tag-key-file=key < app.log',
    },
  ],
  flags,
  async run(at) {
    const key = at.flags['tag-key-file']
    const show = at.flags.show === 'tag' ? 'tag' : 'name'
    const scrubber = createScrubber({
      show,
      ...(key !== undefined && { key: keyIn(key) }),
      ...(at.flags.rules && { rules: compileRules() }),
      ...(at.flags.index !== undefined && {
        index: indexFromFile(at.flags.index, at.flags['index-key']),
      }),
    })
    if (at.flags.env) addEnvironment(scrubber, at)
    // Most of an environment is no secret; of what was named, the user is told.
    const before = scrubber.leftOut
    for (const path of at.flags.from) await addSecret(scrubber, at, path)
    const leftOut = scrubber.leftOut - before
    if (leftOut > 0) {
      const what = leftOut === 1 ? 'value is' : 'values are'
      at.io.stderr.write(`scrub: ${leftOut} ${what} too short or plain to be looked for\n`)
    }
    const stop = await following(scrubber, at)
    try {
      const clean = at.io.stdin.pipe(scrubStream(scrubber))
      for await (const bytes of clean as AsyncIterable<Uint8Array>) {
        // A reader that is slow makes the writer wait, and so on up to the app.
        if (at.io.stdout.write(bytes) === false) await once(at.io.stdout as never, 'drain')
      }
    } finally {
      await stop()
    }
  },
})

type At = Context<typeof flags>

/** What can follow is loaded only where there is something to be followed. */
async function following(scrubber: Scrubber, at: At): Promise<() => Promise<void>> {
  if (at.flags.from.length === 0) return async () => {}
  const { followSecrets } = await import('./scrub-follow.ts')
  return followSecrets(at, scrubber, at.flags.from)
}

const SECRET_NAME = /pass|pwd|secret|token|api_?key|private|credential|auth|dsn|_key$|_url$|_uri$/i
const URL_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s:@]*:([^@\s]+)@/i

function addEnvironment(scrubber: Scrubber, { io }: At): void {
  for (const [name, value] of Object.entries(io.env)) {
    if (value === undefined || !SECRET_NAME.test(name)) continue
    const inside = URL_PASSWORD.exec(value)?.[1]
    if (inside !== undefined) scrubber.add({ value: decoded(inside), name: `$${name}` })
    // An address without a password in it is no secret.
    if (inside !== undefined || !/_ur[il]$|^[a-z]+:\/\//i.test(name + value)) {
      scrubber.add({ value, name: `$${name}` })
    }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function addSecret(scrubber: Scrubber, at: At, path: string): Promise<void> {
  const place = await locate(at, path, undefined)
  const doing = `Error reading ${path}`
  const secret = await at.api.secret({ method: 'GET', path: place.full('data'), doing })
  const whole = secret?.data
  const data = place.v2 ? whole?.['data'] : whole
  if (!isObject(data)) throw new CliError(`No value found at ${path}`, { exit: 2 })
  const version = isObject(whole?.['metadata']) ? whole['metadata']['version'] : undefined
  for (const [name, value] of leaves(data)) {
    const label = `${path}#${name}${place.v2 ? ` v${String(version)}` : ''}`
    scrubber.add({ value, name: label })
  }
}

function* leaves(data: object, above = ''): Generator<[name: string, value: string]> {
  for (const [key, value] of Object.entries(data) as [string, unknown][]) {
    if (isObject(value) || Array.isArray(value)) yield* leaves(value, `${above}${key}/`)
    else if (typeof value === 'string') yield [above + key, value]
  }
}

/** Any file will do: its bytes become a key of the right size. */
function keyIn(file: string): Uint8Array {
  try {
    return createHmac('sha256', 'coffer scrub tag').update(readFileSync(file)).digest()
  } catch (error) {
    throw new CliError(`-tag-key-file: ${file} cannot be read: ${whyUnreadable(error)}`)
  }
}
