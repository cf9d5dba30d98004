/**
 * Which way of rotating fits: what a target can do without a gap, unless the operator says otherwise.
 * Statements that only do what is done anyway are no reason for a gap.
 */
import { Failure, refuse } from '../../../kit/kit.ts'
import { type Opened } from '../plugins.ts'
import { mariadbDual } from './mariadb-dual.ts'
import { mongodbAb } from './mongodb-ab.ts'
import { mysqlDual } from './mysql-dual.ts'
import { postgresAb } from './postgres-ab.ts'
import { redisDual } from './redis-dual.ts'
import { type Rotor } from './rotor.ts'
import { single } from './single.ts'

export const STRATEGIES = ['auto', 'ab', 'dual', 'single'] as const
/** As a kind of rotation: how many users and passwords there are at a time. */
export type Strategy = 'ab' | 'dual' | 'single'

const GAPLESS: Readonly<Record<Opened['family'], Strategy>> = {
  postgresql: 'ab',
  mysql: 'dual',
  redis: 'dual',
  mongodb: 'ab',
}

const USUAL = new RegExp(
  String.raw`^\s*ALTER\s+(?:USER|ROLE)\s+["'\`]?\{\{\s*(?:name|username)\s*\}\}["'\`]?(?:@'%')?\s+` +
    String.raw`(?:WITH\s+)?(?:ENCRYPTED\s+)?(?:PASSWORD|IDENTIFIED\s+BY)\s+["']\{\{\s*password\s*\}\}["']\s*;?\s*$`,
  'i',
)

export const isUsual = (statements: readonly string[]): boolean =>
  statements.every((text) => USUAL.test(text))

type Wish = {
  strategy: (typeof STRATEGIES)[number]
  statements: readonly string[]
  acceptGap: boolean
}

/** A Failure says what the operator can do. */
export function chooseStrategy(family: Opened['family'], wish: Wish): Strategy {
  const { strategy, statements, acceptGap } = wish
  const gapless = GAPLESS[family]
  const wanted = strategy === 'auto' ? (isUsual(statements) ? gapless : 'single') : strategy
  if (wanted !== 'single' && wanted !== gapless) {
    refuse(`rotation_strategy for ${family} is ${gapless} or single`)
  }
  if (wanted !== 'single' && !isUsual(statements)) {
    refuse(`rotation_statements are used by rotation_strategy=single only`)
  }
  if (wanted === 'single' && !acceptGap) {
    const why =
      strategy === 'single'
        ? 'rotation_strategy=single'
        : 'a password changed by rotation_statements'
    refuse(
      `${why} leaves a gap in which the password that callers hold does not work: ` +
        `leave it out for a rotation without a gap (${gapless}), or say accept_gap=true`,
    )
  }
  return wanted
}

type Of = { strategy: Strategy; username: string; statements: readonly string[]; now: number }

export async function rotorFor(opened: Opened, of: Of): Promise<Rotor> {
  const { strategy, username, statements, now } = of
  const { family, target } = opened
  if (strategy === 'single') return single(target, username, statements)
  switch (family) {
    case 'postgresql':
      return postgresAb(target, username)
    case 'mysql':
      return (await target.isMariadb())
        ? mariadbDual(target, username)
        : mysqlDual(target, username)
    case 'redis':
      return redisDual(target, username, now)
    case 'mongodb':
      return mongodbAb(target, username)
    default:
      throw new Failure('internal')
  }
}
