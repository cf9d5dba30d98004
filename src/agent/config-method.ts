/** The ways to log in that a configuration can name. */
import { type HclItem } from '../lib/hcl.ts'
import {
  blocks,
  bool,
  insideOf,
  type Kind,
  needed,
  type Problems,
  readTable,
  refused,
  seconds,
  type Table,
  tell,
  text,
} from './config-read.ts'

type Common = {
  readonly mount: string
  readonly minBackoffSeconds: number
  readonly maxBackoffSeconds: number
  readonly exitOnError: boolean
}
export type MethodConfig = Common &
  (
    | {
        readonly type: 'approle'
        readonly roleIdFile: string
        readonly secretIdFile: string | undefined
        readonly removesSecretId: boolean
        readonly wrapped: boolean
      }
    | { readonly type: 'token_file'; readonly tokenFile: string }
    | { readonly type: 'kubernetes'; readonly role: string; readonly tokenFile: string }
    | {
        readonly type: 'cert'
        readonly name: string | undefined
        readonly caCert: string | undefined
        readonly clientCert: string | undefined
        readonly clientKey: string | undefined
      }
  )

const METHOD = {
  type: text,
  mount_path: text,
  config: blocks('config = { … }'),
  min_backoff: seconds,
  max_backoff: seconds,
  exit_on_err: bool,
  namespace: refused('one agent works in one namespace', 'namespace in the vault block'),
  wrap_ttl: refused('a wrapped login cannot be used by the agent itself', 'wrap_ttl in a sink'),
}
const CONFIGS = {
  approle: {
    role_id_file_path: text,
    secret_id_file_path: text,
    remove_secret_id_file_after_reading: bool,
    secret_id_response_wrapping_path: text,
  },
  token_file: { token_file_path: text },
  kubernetes: { role: text, token_path: text },
  cert: { name: text, ca_cert: text, client_cert: text, client_key: text, reload: bool },
} satisfies Readonly<Record<string, Table>>

type Type = keyof typeof CONFIGS
const TYPES = Object.keys(CONFIGS) as Type[]
const KUBERNETES_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

export function readMethod(
  problems: Problems,
  items: readonly HclItem[],
): MethodConfig | undefined {
  const [item, second] = items
  if (!item) return undefined
  const { line } = item
  if (second) tell(problems, second.line, 'a second method', 'one method')
  const given = readTable(METHOD, insideOf(item), { problems, name: 'method' })
  const named = given.type ?? item.labels[0]
  const type = TYPES.find((each) => each === named)
  if (type === undefined) {
    tell(
      problems,
      line,
      'an unknown method',
      `one of ${TYPES.map((each) => `"${each}"`).join(', ')}`,
    )
    return undefined
  }
  const inner = given.config.flatMap(insideOf)
  const read = readTable<Readonly<Record<string, Kind<string> | Kind<boolean>>>>(
    CONFIGS[type],
    inner,
    {
      problems,
      name: `config of ${type}`,
    },
  )
  const values = read as Readonly<Record<string, string | boolean | undefined>>
  const optional = (key: string) => values[key] as string | undefined
  const must = (key: string) =>
    needed(optional(key), '', {
      ...{ problems, line, wrong: `the method ${type} lacks a value` },
      expected: `${key} in its config`,
    })
  const minBackoffSeconds = Math.max(1, given.min_backoff ?? 1)
  const common: Common = {
    mount: (given.mount_path ?? `auth/${type}`).replace(/^auth\/|^\/+|\/+$/g, ''),
    minBackoffSeconds,
    maxBackoffSeconds: Math.max(minBackoffSeconds, given.max_backoff ?? 300),
    exitOnError: given.exit_on_err ?? false,
  }
  switch (type) {
    case 'approle':
      return {
        ...common,
        type,
        roleIdFile: must('role_id_file_path'),
        secretIdFile: optional('secret_id_file_path'),
        removesSecretId: values['remove_secret_id_file_after_reading'] !== false,
        wrapped: values['secret_id_response_wrapping_path'] !== undefined,
      }
    case 'token_file':
      return { ...common, type, tokenFile: must('token_file_path') }
    case 'kubernetes':
      return {
        ...common,
        type,
        role: must('role'),
        tokenFile: optional('token_path') ?? KUBERNETES_TOKEN,
      }
    case 'cert':
      return {
        ...common,
        type,
        name: optional('name'),
        caCert: optional('ca_cert'),
        clientCert: optional('client_cert'),
        clientKey: optional('client_key'),
      }
    default:
      return type satisfies never
  }
}
