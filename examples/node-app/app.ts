/**
 * A shop that needs a database, a payment provider and a certificate. Its configuration names the
 * secrets; the values come from the server at the start, and are never printed.
 *
 *   VAULT_ADDR=… VAULT_ROLE_ID=… VAULT_SECRET_ID_FILE=… APP_ENV=staging npx node examples/node-app/app.ts
 */
import { createHash, X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import { type AddressInfo } from 'node:net'
import {
  type Client,
  CofferError,
  connect,
  DeniedError,
  loadConfig,
  reveal,
  type Secret,
} from 'coffer/client'

const environment = process.env['APP_ENV'] ?? 'staging'
const at = `vault://apps/${environment}` as const

/** Enough to see that two people hold the same value, and not the value. */
function mark(secret: Secret): string {
  const value = secret.reveal()
  const print = createHash('sha256').update(value).digest('hex').slice(0, 12)
  return `${value.length} characters, sha256 ${print}`
}

async function start(client: Client): Promise<void> {
  const config = await loadConfig(
    {
      name: 'shop',
      host: '127.0.0.1',
      database: { url: `${at}/database#url` },
      payments: { apiKey: `${at}/payments#api_key` },
      tls: { cert: `${at}/tls#certificate`, key: `${at}/tls#private_key` },
    },
    { client },
  )
  const { database, payments, tls } = config
  const { host } = new URL(database.url.reveal())
  const certificate = new X509Certificate(tls.cert.reveal())
  console.log(`${config.name} in ${environment}: no reference, used as it is: host ${config.host}`)
  console.log(`database: ${host} (${mark(database.url)})`)
  console.log(`payments: ${mark(payments.apiKey)}`)
  console.log(`certificate: ${certificate.subject}, sha256 ${certificate.fingerprint256}`)
  // A secret hides itself wherever it is printed by mistake.
  console.log(`the configuration as JSON: ${JSON.stringify(config)}`)

  const server = createServer(reveal(tls), (_request, response) => response.end('ok\n'))
  await new Promise<void>((done) => server.listen(0, config.host, done))
  const { port } = server.address() as AddressInfo
  console.log(`serving https://${config.host}:${port} with that certificate`)

  const following = client.follow(`${at}/payments#api_key`, (apiKey, { version }) => {
    console.log(`payments: in use is version ${version} (${mark(apiKey)})`)
  })
  process.once('SIGTERM', () => {
    following.stop()
    server.close()
    server.closeAllConnections()
    // The token is of no use to anyone once the app is gone.
    client.close({ revoke: true }).catch(() => {})
  })
}

try {
  const client = await connect()
  try {
    await start(client)
  } catch (error) {
    await client.close({ revoke: true })
    throw error
  }
} catch (error) {
  if (!(error instanceof CofferError)) throw error
  // Its message names paths and what the server said, never a value.
  console.error(`shop cannot start (${error.code}): ${error.message}`)
  if (error instanceof DeniedError && error.path === 'auth/approle/login') {
    console.error('the secret id is revoked, used up or expired: ask the operator for a new one')
  }
  process.exitCode = 1
}
