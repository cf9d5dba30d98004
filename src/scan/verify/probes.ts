/**
 * How providers are asked whether a secret is alive: one harmless request that reads who the caller is.
 * Data only. A secret stands in a header, never in an address, which proxies and servers write down.
 */

export type Probe = {
  /** Rules whose findings it is for. */
  readonly rules: readonly string[]
  /** The only host that is asked. */
  readonly host: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `{secret}` is the secret, `{basic}` its Basic form as user name without a password. */
  readonly headers: Readonly<Record<string, string>>
  /** Statuses by which the provider says that it knows the secret: it may lack rights. */
  readonly live: readonly number[]
  readonly dead: readonly number[]
  /** For providers that answer 200 to everyone: a text of the answer that says no. */
  readonly deadBody?: string
}

const BEARER = { authorization: 'Bearer {secret}' }

export const PROBES: readonly Probe[] = [
  {
    rules: ['github-pat', 'github-fine-grained-pat', 'github-oauth', 'github-user'],
    host: 'api.github.com',
    method: 'GET',
    path: '/user',
    headers: { ...BEARER, accept: 'application/vnd.github+json' },
    live: [200, 403],
    dead: [401],
  },
  {
    rules: ['gitlab-pat', 'gitlab-pat-routable'],
    host: 'gitlab.com',
    method: 'GET',
    path: '/api/v4/personal_access_tokens/self',
    headers: { 'private-token': '{secret}' },
    live: [200, 403],
    dead: [401],
  },
  {
    rules: ['slack-bot-token', 'slack-user-token', 'slack-legacy-token'],
    host: 'slack.com',
    method: 'POST',
    path: '/api/auth.test',
    headers: BEARER,
    live: [200],
    dead: [401],
    deadBody: '"ok":false',
  },
  {
    rules: ['stripe-secret-key', 'stripe-prod-key', 'stripe-test-key', 'stripe-restricted-key'],
    host: 'api.stripe.com',
    method: 'GET',
    path: '/v1/balance',
    headers: { authorization: 'Basic {basic}' },
    live: [200, 403],
    dead: [401],
  },
  {
    rules: ['sendgrid-api-key', 'sendgrid-token'],
    host: 'api.sendgrid.com',
    method: 'GET',
    path: '/v3/scopes',
    headers: BEARER,
    live: [200, 403],
    dead: [401],
  },
  {
    rules: ['openai-key', 'openai-project-key', 'openai-service-key'],
    host: 'api.openai.com',
    method: 'GET',
    path: '/v1/models',
    headers: BEARER,
    live: [200, 403, 429],
    dead: [401],
  },
  {
    rules: ['anthropic-api-key'],
    host: 'api.anthropic.com',
    method: 'GET',
    path: '/v1/models',
    headers: { 'x-api-key': '{secret}', 'anthropic-version': '2023-06-01' },
    live: [200, 403, 429],
    dead: [401],
  },
  {
    rules: ['digitalocean-pat', 'digitalocean-oauth'],
    host: 'api.digitalocean.com',
    method: 'GET',
    path: '/v2/account',
    headers: BEARER,
    live: [200, 403],
    dead: [401],
  },
  {
    rules: ['huggingface-token'],
    host: 'huggingface.co',
    method: 'GET',
    path: '/api/whoami-v2',
    headers: BEARER,
    live: [200, 403],
    dead: [401],
  },
]
