/**
 * Logging in through a browser: the server names the page of the provider, a listener on this
 * machine takes what the provider sends back, and the server makes a token of it.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { CliError } from '../cli-error.ts'
import { type LoginMethod, type LoginRequest, type Words } from './login-methods.ts'

const PORT = '8250'
const WAIT_MS = 5 * 60_000
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>Signed in</title>' +
  '<p>You are signed in. This page can be closed; the terminal has the rest.'

export const oidc: LoginMethod = {
  usage: '[role=<name>] [port=8250] [skip_browser=true]',
  help: 'Logs in through a browser. Its answer comes to a port of this machine, 8250 unless given.',
  async request(words, mount, tools) {
    const listenAddress = words['listenaddress'] ?? 'localhost'
    const port = words['port'] ?? PORT
    const host = words['callbackhost'] ?? listenAddress
    const scheme = words['callbackmethod'] ?? 'http'
    const redirect_uri = `${scheme}://${host}:${words['callbackport'] ?? port}/oidc/callback`
    const client_nonce = randomBytes(20).toString('hex')
    // Listening comes first: a provider that knows the user answers at once.
    using listener = await listen(Number(port), listenAddress)
    const body = { role: words['role'] ?? '', redirect_uri, client_nonce }
    const url = await tools.authUrl(`auth/${mount}/oidc/auth_url`, body)
    if (url === '') {
      throw new CliError('Error authenticating: the server has no log-in page for this role', {
        exit: 2,
        hint: `the role must exist and allow the redirect ${redirect_uri}`,
      })
    }
    tools.show(
      `Complete the login via your OIDC provider. Open this page in a browser:\n\n    ${url}\n`,
    )
    if (words['skip_browser'] !== 'true') openBrowser(url)
    tools.show('Waiting for OIDC authentication to complete...')
    const query = await listener.answer
    return callback(mount, { ...query, client_nonce })
  },
}

function callback(mount: string, query: Words): LoginRequest {
  return { method: 'GET', path: `auth/${mount}/oidc/callback`, query }
}

type Listener = Disposable & { readonly answer: Promise<Words> }

/** Takes one answer at /oidc/callback. An answer without code and state is the provider's refusal. */
async function listen(port: number, host: string): Promise<Listener> {
  const { promise: answer, resolve, reject } = Promise.withResolvers<Words>()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (url.pathname !== '/oidc/callback') {
      response.writeHead(404).end()
      return
    }
    const {
      code,
      state,
      id_token = '',
      error,
      error_description,
    } = Object.fromEntries(url.searchParams)
    const refused = code === undefined || state === undefined
    response.writeHead(refused ? 400 : 200, { 'content-type': 'text/html', connection: 'close' })
    response.end(refused ? 'The provider refused. The terminal says more.' : PAGE)
    if (refused) {
      // Anybody on this machine can call here, so no control character reaches the terminal.
      const why = (error_description ?? error ?? 'it sent no code').replace(/[^ -~]/g, '?')
      reject(new CliError(`Error authenticating: the provider refused: ${why}`, { exit: 2 }))
    } else resolve(id_token === '' ? { code, state } : { code, state, id_token })
  })
  await start(server, port, host)
  const late = new CliError('Error authenticating: timed out waiting for the browser', { exit: 2 })
  const timer = setTimeout(() => reject(late), WAIT_MS)
  // Somebody may be rejected before anybody waits; it is said when they do.
  answer.catch(() => undefined)
  return {
    answer,
    [Symbol.dispose]() {
      clearTimeout(timer)
      server.close()
      server.closeAllConnections()
    },
  }
}

function start(server: Server, port: number, host: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', (cause) =>
      fail(
        new CliError(`cannot listen on ${host}:${port} for the answer of the browser`, {
          cause,
          hint: 'name another port with port=… and allow it in the role',
        }),
      ),
    )
    server.listen(port, host, done)
  })
}

/** Only tried: the address is on the terminal as well. */
function openBrowser(url: string): void {
  if (!/^https?:\/\//.test(url)) return
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const child = spawn(program, [url], { stdio: 'ignore', detached: true })
  child.on('error', () => undefined)
  child.unref()
}
