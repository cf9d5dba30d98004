/**
 * The door of `coffer/client`: reads secrets from any server that speaks the Vault API, and turns
 * `vault://` references of a config into values.
 *
 *   const config = await loadConfig({ db: { host: 'db', password: 'vault://secret/db#password' } })
 *   const pool = new Pool(reveal(config.db))
 */
export { Secret } from '../lib/secret.ts'
export { isAuthFailure } from './auth-failure.ts'
export {
  appRole,
  type Auth,
  authFromEnv,
  type Login,
  type SecretInput,
  token,
  userpass,
} from './auth.ts'
export {
  type Client,
  connect,
  type ConnectOptions,
  type QueryOptions,
  type WrapOptions,
} from './connect.ts'
export {
  ClosedError,
  CofferError,
  ConfigError,
  type ConfigProblem,
  ConflictError,
  DeniedError,
  InvalidRequestError,
  MissingError,
  NetworkError,
  RateLimitedError,
  SealedError,
  UnavailableError,
} from './errors.ts'
export { follow, type FollowFn, type Following, type FollowOptions } from './follow.ts'
export { type CallOptions } from './http.ts'
export { type Kv, type KvMetadata, type KvSecret, type KvSettings, type KvWritten } from './kv.ts'
export { loadConfig, type LoadOptions } from './load-config.ts'
export { type Loaded, reveal, type Revealed } from './loaded.ts'
export { type OnSecret } from './on-secret.ts'
export { type OfflineOptions, OfflineCacheError } from './offline.ts'
export { UnsafeFileError } from './own-file.ts'
export { parseReference, type Reference } from './reference.ts'
export { type Reply, type ReplyAuth, type ReplyWrapInfo } from './reply.ts'
export { type AckState } from './rotating/acks.ts'
export { type Change, type Watch } from './rotating/changes.ts'
export { type Credential, type FieldNames } from './rotating/credential.ts'
export { rotatingFetch, type RotatingFetch, type RotatingFetchOptions } from './rotating/fetch.ts'
export { type Mysql2Module, rotatingMysql2, type RotatingMysql2Options } from './rotating/mysql2.ts'
export { type PgModule, rotatingPg, type RotatingPgOptions } from './rotating/pg.ts'
export {
  type IoredisModule,
  type NodeRedisModule,
  rotatingRedis,
  type RotatingRedisOptions,
} from './rotating/redis.ts'
export {
  rotatingCredential,
  type RotatingCredential,
  type RotatingOptions,
} from './rotating/source.ts'
export { openSecrets, type Secrets, type SecretsOptions } from './secrets.ts'
export { type TlsOptions } from './transport.ts'
export { type WatchEvent, type WatchOptions } from './watch.ts'
