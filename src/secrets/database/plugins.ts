/** The programs of Vault that this engine stands in for, by their names, and what differs in them. */
import { Failure } from '../../kit/kit.ts'
import { type Opening } from './target.ts'
import { type MongoTarget } from './targets/mongodb.ts'
import { type MysqlTarget } from './targets/mysql.ts'
import { type PostgresTarget } from './targets/postgres.ts'
import { type RedisTarget } from './targets/redis.ts'

export type Opened =
  | { family: 'postgresql'; target: PostgresTarget }
  | { family: 'mysql'; target: MysqlTarget }
  | { family: 'redis'; target: RedisTarget }
  | { family: 'mongodb'; target: MongoTarget }

type Plugin = {
  readonly family: Opened['family']
  /** How dynamic users are named unless the configuration says. */
  readonly usernames: string
  /** Whether a role may go without creation statements. */
  readonly knowsRoles: boolean
}

const named = (display: number, role: number, whole: number) =>
  `{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate ${display}) ` +
  `(.RoleName | truncate ${role}) (random 20) (unix_time) | truncate ${whole} }}`

const postgresql: Plugin = { family: 'postgresql', usernames: named(8, 8, 63), knowsRoles: false }
const mysql: Plugin = { family: 'mysql', usernames: named(10, 10, 32), knowsRoles: false }
const redis: Plugin = {
  family: 'redis',
  usernames:
    '{{ printf "V_%s_%s_%s_%s" (.DisplayName | uppercase | truncate 64) ' +
    '(.RoleName | uppercase | truncate 64) (random 20 | uppercase) (unix_time) | truncate 128 }}',
  knowsRoles: true,
}

const PLUGINS: Readonly<Record<string, Plugin>> = {
  'mongodb-database-plugin': {
    family: 'mongodb',
    usernames: named(15, 15, 100).replace(' | truncate', ' | replace "." "-" | truncate'),
    knowsRoles: false,
  },
  'mysql-database-plugin': mysql,
  'mysql-aurora-database-plugin': mysql,
  'mysql-legacy-database-plugin': { ...mysql, usernames: named(4, 4, 16) },
  'mysql-rds-database-plugin': mysql,
  'postgresql-database-plugin': postgresql,
  'redis-database-plugin': redis,
  'valkey-database-plugin': redis,
}

export const PLUGIN_NAMES: readonly string[] = Object.keys(PLUGINS)

/** A Failure in Vault's words for a name that is none of these. */
export function pluginNamed(name: string): Plugin {
  if (Object.hasOwn(PLUGINS, name)) return PLUGINS[name]!
  throw new Failure(
    'bad_request',
    `error creating database object: unable to find plugin "${name}": ` +
      'plugin not found in the catalog',
  )
}

/** The driver is loaded here, by the first that needs it. */
export async function openTarget(opening: Opening): Promise<Opened> {
  const { family } = pluginNamed(opening.plugin)
  if (family === 'mongodb') {
    const { openMongo } = await import('./targets/mongodb.ts')
    return { family, target: await openMongo(opening) }
  }
  if (family === 'redis') {
    const { openRedis } = await import('./targets/redis.ts')
    return { family, target: await openRedis(opening) }
  }
  if (family === 'mysql') {
    const { openMysql } = await import('./targets/mysql.ts')
    return { family, target: await openMysql(opening) }
  }
  const { openPostgres } = await import('./targets/postgres.ts')
  return { family, target: await openPostgres(opening) }
}
