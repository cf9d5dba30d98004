/** A web server on the loopback for tests: answers by path, and counts what it was asked. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo } from 'node:net'

export type WebAnswer = {
  status?: number
  headers?: Record<string, string>
  /** An object is sent as JSON. */
  body?: unknown
}
export type WebRequest = {
  url: URL
  method: string
  headers: IncomingMessage['headers']
  body: string
}
export type Routes = Record<string, (request: WebRequest) => Promise<WebAnswer> | WebAnswer>

export type WebServer = {
  url: string
  routes: Routes
  /** Paths in the order they came. */
  asked: string[]
  close(): Promise<void>
}

export async function webServer(
  routes: Routes,
  tls?: { cert: string; key: string },
): Promise<WebServer> {
  const asked: string[] = []
  const web = { url: '', routes, asked }
  const listener: RequestListener = (incoming, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
      const url = new URL(incoming.url ?? '/', web.url)
      asked.push(url.pathname)
      const route = web.routes[url.pathname]
      const { method = 'GET', headers } = incoming
      const body = Buffer.concat(chunks).toString()
      const answer = (await route?.({ url, method, headers, body })) ?? { status: 404 }
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
      response.writeHead(answer.status ?? 200, {
        'content-type': 'application/json',
        ...answer.headers,
      })
      response.end(text)
    })()
  }
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  web.url = `http${tls ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(web, {
    close: async () => {
      server.closeAllConnections()
      await new Promise((done) => void server.close(done))
    },
  })
}
