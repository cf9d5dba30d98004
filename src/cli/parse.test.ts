import { deepEqual, doesNotMatch, equal, match, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { CliError } from './cli-error.ts'
import { defineCommand, flag } from './command.ts'
import { checkArgs, parseArgv, parseLeading } from './parse.ts'

const flags = {
  version: flag.int('A number.'),
  mount: flag.string('A text.'),
  force: flag.bool('A switch.', { alias: ['f'] }),
  renewable: flag.bool('A switch that is on.', { default: true }),
  ttl: flag.duration('A time.'),
  policy: flag.list('A list.'),
  metadata: flag.map('Pairs.'),
  type: flag.string('One of two.', { oneOf: ['service', 'batch'] }),
  'pgp-keys': flag.string('Not here.', { refuse: 'there is no PGP here' }),
}
const valuesOf = (...argv: string[]) => parseArgv(argv, flags).values

const wrong: [string[], RegExp][] = [
  [['-nope'], /^flag provided but not defined: -nope$/],
  [['-mount'], /^flag needs an argument: -mount$/],
  [['-version=hunter2'], /^invalid value for -version: it must be a whole number$/],
  [['-version', '1.5'], /must be a whole number/],
  [['-force=hunter2'], /must be true or false/],
  [['-ttl=hunter2'], /must be a duration/],
  [['-metadata=hunter2'], /must be of the form key=value/],
  [['-metadata==hunter2'], /must be of the form key=value/],
  [['-type=hunter2'], /must be one of service, batch/],
  [['-pgp-keys=hunter2'], /^-pgp-keys: there is no PGP here$/],
]
for (const [argv, expected] of wrong) {
  test(`parseArgv() refuses ${argv.join(' ')} and does not repeat the value`, () => {
    throws(
      () => parseArgv(argv, flags),
      (error: Error) => {
        match(error.message, expected)
        doesNotMatch(error.message, /hunter2/)
        return error instanceof CliError && error.exit === 1
      },
    )
  })
}

test('parseArgv() suggests the flag that was meant', () => {
  throws(() => parseArgv(['-moutn=a'], flags), { hint: 'did you mean -mount?' })
})

test('parseArgv() reads every form of a flag', () => {
  for (const argv of [['-mount', 'a'], ['-mount=a'], ['--mount', 'a'], ['--mount=a']]) {
    equal(valuesOf(...argv)['mount'], 'a', argv.join(' '))
  }
  equal(valuesOf('-mount=a=b')['mount'], 'a=b')
  equal(valuesOf('-mount=')['mount'], '')
  equal(valuesOf('-version', '-1')['version'], -1)
  equal(valuesOf('-ttl=1h30m')['ttl'], 5400)
})

test('parseArgv() gives a switch no argument of its own', () => {
  const parsed = parseArgv(['-force', 'secret/a', '-renewable=false'], flags)
  equal(parsed.values['force'], true)
  equal(parsed.values['renewable'], false)
  deepEqual(parsed.args, ['secret/a'])
  equal(valuesOf('-f')['force'], true)
})

test('parseArgv() collects lists and maps', () => {
  const { policy, metadata } = valuesOf(
    '-policy=a',
    '-metadata=k=1',
    '-policy',
    'b',
    '-metadata=l=x=y',
  )
  deepEqual(policy, ['a', 'b'])
  deepEqual(metadata, { k: '1', l: 'x=y' })
})

test('parseArgv() finds flags after arguments, until --', () => {
  const parsed = parseArgv(['a', '-mount', 'm', 'k=v', '--', '-force', '-x'], flags)
  deepEqual(parsed.args, ['a', 'k=v', '-force', '-x'])
  equal(parsed.values['mount'], 'm')
  equal(parsed.values['force'], false)
})

test('parseArgv() takes - and key=value for arguments', () => {
  const pem = 'cert=-----BEGIN CERTIFICATE-----'
  deepEqual(parseArgv(['-', 'key=-', pem, '-5'], flags).args, ['-', 'key=-', pem, '-5'])
})

test('parseArgv() keeps defaults, and knows what was typed', () => {
  const parsed = parseArgv(['-mount='], flags)
  equal(parsed.values['renewable'], true)
  equal(parsed.values['version'], undefined)
  deepEqual([...parsed.given], ['mount'])
})

test('parseArgv() with flagsFirst leaves the words of another program alone', () => {
  const parsed = parseArgv(['-mount=m', 'npm', 'test', '-force', '--', '-x'], flags, {
    flagsFirst: true,
  })
  deepEqual(parsed.args, ['npm', 'test', '-force', '--', '-x'])
  equal(parsed.values['force'], false)
})

test('parseArgv() keeps what follows -- apart for a command that wants it so', () => {
  const parsed = parseArgv(['a', '--', 'npm', '-x'], flags, { rest: true })
  deepEqual(parsed.args, ['a'])
  deepEqual(parsed.rest, ['npm', '-x'])
})

test('parseArgv() sees a request for help anywhere before --', () => {
  for (const word of ['-h', '-help', '--help']) equal(parseArgv(['a', word], flags).help, true)
  equal(parseArgv(['--', '-h'], flags).help, false)
})

test('parseLeading() counts the words of flags before the command', () => {
  equal(parseLeading(['-mount', 'm', '-force', 'kv', '-nope'], flags).taken, 3)
  equal(parseLeading(['kv'], flags).taken, 0)
})

test('checkArgs() says how many were expected, in the words of Vault', () => {
  const run = () => undefined
  const arg = { name: 'a', help: 'An argument.' }
  const one = defineCommand({ path: ['x'], summary: 'X', args: [arg], run })
  throws(() => checkArgs(one, 0), /^CliError: Not enough arguments \(expected 1, got 0\)$/)
  throws(() => checkArgs(one, 2), /Too many arguments \(expected 1, got 2\)/)
  checkArgs(one, 1)
  const some = defineCommand({
    path: ['x'],
    summary: 'X',
    args: [arg, { ...arg, optional: true }],
    run,
  })
  throws(() => checkArgs(some, 3), /expected 1-2, got 3/)
  const many = defineCommand({ path: ['x'], summary: 'X', args: [{ ...arg, many: true }], run })
  throws(() => checkArgs(many, 0), /expected >0, got 0/)
  checkArgs(many, 9)
})
