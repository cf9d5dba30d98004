/** Flags as data: what they are called, what they hold, what they are for. */

export type FlagKind = 'string' | 'bool' | 'int' | 'duration' | 'list' | 'map'

type FlagOptions = {
  /** The word after the flag in the help: `-ca-cert=<path>`. */
  value?: string
  alias?: readonly string[]
  oneOf?: readonly string[]
  /** Vault has this flag and this program does not: using it fails with these words. */
  refuse?: string
  /** Works, but is not shown in help or completion. */
  hidden?: true
}

/** One flag. `T` is what `run` receives: a duration is seconds, a list is every value in order. */
export type Flag<T = unknown> = FlagOptions & {
  readonly kind: FlagKind
  readonly help: string
  readonly default: T
}

export type Flags = Readonly<Record<string, Flag>>
export type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never
}

type Maker<V> = {
  (help: string, options: FlagOptions & { default: V }): Flag<V>
  (help: string, options?: FlagOptions): Flag<V | undefined>
}
function maker<V>(kind: FlagKind): Maker<V> {
  return ((help: string, options?: FlagOptions & { default?: V }) =>
    ({ kind, help, default: undefined, ...options }) as Flag<V | undefined>) as Maker<V>
}

/** What a flag can be. Without a default its value is undefined until it is given. */
export const flag = {
  string: maker<string>('string'),
  int: maker<number>('int'),
  duration: maker<number>('duration'),
  bool: (help: string, options: FlagOptions & { default?: boolean } = {}): Flag<boolean> => ({
    kind: 'bool',
    help,
    default: false,
    ...options,
  }),
  list: (help: string, options: FlagOptions = {}): Flag<readonly string[]> => ({
    kind: 'list',
    help,
    default: [],
    ...options,
  }),
  map: (help: string, options: FlagOptions = {}): Flag<Readonly<Record<string, string>>> => ({
    kind: 'map',
    help,
    default: {},
    ...options,
  }),
}
