/** Where the Kubernetes API is, and how its answers and its tokens are checked. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { endpoint, type EntryStore, refuse, t } from '../../kit/kit.ts'

/** Entry `config`. A write replaces all of it. */
export type Config = {
  kubernetes_host: string
  kubernetes_ca_cert: string
  token_reviewer_jwt: string
  pem_keys: string[]
  issuer: string
  disable_iss_validation: boolean
  disable_local_ca_jwt: boolean
}

const KEY = 'config'

export const readConfig = (store: EntryStore) => store.get<Config>(KEY)

export const configEndpoint = endpoint('config', {
  help: 'Where the Kubernetes API is, and how its tokens are checked.',
  fields: {
    kubernetes_host: t.string({ help: 'URL of the API, or host and port.', default: '' }),
    kubernetes_ca_cert: t.string({
      help: "PEM of the authorities trusted for the API; in a pod, the pod's when absent.",
      default: '',
    }),
    token_reviewer_jwt: t.string({
      help: 'What the server is in Kubernetes when it asks about tokens; the token itself when absent.',
      sensitive: true,
      default: '',
    }),
    pem_keys: t.list({
      help: 'PEM of public keys or certificates that tokens must be signed with.',
      default: [],
    }),
    issuer: t.string({ help: 'Who must have issued tokens.', deprecated: true, default: '' }),
    disable_iss_validation: t.bool({
      help: 'Leave the issuer unchecked.',
      deprecated: true,
      default: true,
      clear: true,
    }),
    disable_local_ca_jwt: t.bool({
      help: 'Do not use the token and the authority of the pod the server runs in.',
      default: false,
      clear: true,
    }),
    use_annotations_as_alias_metadata: t.bool({ help: 'Refused when true.', clear: true }),
  },
  async read({ store }) {
    const config = await readConfig(store)
    if (!config) return undefined
    const { token_reviewer_jwt: reviewer, ...shown } = config
    return { ...shown, token_reviewer_jwt_set: reviewer !== '' }
  },
  write({ data, store }) {
    const { use_annotations_as_alias_metadata: annotations, ...config } = data
    if (annotations) refuse('use_annotations_as_alias_metadata is not supported here')
    if (config.kubernetes_host === '') refuse('no host provided')
    if (urlOf(config) === undefined) refuse('kubernetes_host must be a URL, or a host and a port')
    if (config.disable_local_ca_jwt && config.kubernetes_ca_cert === '') {
      refuse('kubernetes_ca_cert must be given when disable_local_ca_jwt is true')
    }
    keysOf(config.pem_keys)
    store.put(KEY, config)
    return undefined
  },
  example: { kubernetes_host: 'https://10.0.0.1:6443' },
})

/** The base of the API, without a slash at its end; undefined when it is none. */
export function urlOf({ kubernetes_host: host }: Pick<Config, 'kubernetes_host'>) {
  const url = URL.parse(/^\w+:\/\//.test(host) ? host : `https://${host}`)
  const good = url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === ''
  return good ? `${url.origin}${url.pathname.replace(/\/+$/, '')}` : undefined
}

const PUBLIC_PEM = /^\s*-----BEGIN (?:RSA )?(?:PUBLIC KEY|CERTIFICATE)-----/

/** 400 where one is no public key. */
export function keysOf(pems: readonly string[]): KeyObject[] {
  return pems.map((pem) => {
    try {
      // Of a private key a public one could be made, and its owner would not know it lies here.
      if (PUBLIC_PEM.test(pem)) return createPublicKey(pem)
    } catch {
      // Refused below.
    }
    return refuse('pem_keys must be PEM of public keys or certificates')
  })
}
