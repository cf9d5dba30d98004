/** A fake server that makes API keys over HTTP, as many services do; its faults are named. */
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'

export type FakeKeys = {
  readonly url: string
  /** By id. */
  readonly keys: Map<string, { name: string; secret: string }>
  readonly asked: string[]
  /** The next request to this path: it is done, and the connection is cut before the answer. */
  loseReply(path: string): void
  /** Everything is answered with this status until it is 0 again. */
  answerWith(status: number): void
  close(): Promise<void>
}

export const ADMIN = 'admin-token-of-the-fake'

export async function fakeKeys(): Promise<FakeKeys> {
  const keys: FakeKeys['keys'] = new Map()
  const asked: string[] = []
  let lose = ''
  let forced = 0
  let ids = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      asked.push(`${method} ${url}`)
      const bearer = headers.authorization?.replace('Bearer ', '')
      const { status, body } =
        forced > 0
          ? { status: forced, body: {} }
          : answer(method, url, bearer, Buffer.concat(chunks).toString())
      if (lose !== '' && url.startsWith(lose)) {
        lose = ''
        request.socket.destroy()
        return
      }
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    })
  })

  function answer(method: string, url: string, bearer: string | undefined, text: string) {
    const known = [...keys.values()].some(({ secret }) => secret === bearer)
    if (url === '/whoami') return known ? { status: 200, body: {} } : { status: 401, body: {} }
    if (bearer !== ADMIN) return { status: 403, body: {} }
    if (method === 'GET') {
      return { status: 200, body: { keys: [...keys].map(([id, { name }]) => ({ id, name })) } }
    }
    if (method === 'POST') {
      const { name } = JSON.parse(text) as { name: string }
      const [id, secret] = [`id-${++ids}`, `sk-${ids}-${Math.random().toString(36).slice(2)}`]
      keys.set(id, { name, secret })
      return { status: 201, body: { key: { id, secret } } }
    }
    return { status: keys.delete(decodeURIComponent(url.split('/').at(-1)!)) ? 204 : 404, body: {} }
  }

  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    asked,
    loseReply: (path) => void (lose = path),
    answerWith: (status) => void (forced = status),
    close: () => new Promise((done) => void server.close(() => done())),
  }
}

/** The requests an operator would declare for it. */
export const templatesFor = (url: string) => ({
  create: {
    method: 'POST',
    url: `${url}/keys`,
    headers: { authorization: 'Bearer {{secret.admin}}' },
    body: { name: '{{label}}' },
    value: 'key.secret',
    id: 'key.id',
  },
  verify: { url: `${url}/whoami`, headers: { authorization: 'Bearer {{value}}' } },
  find: { url: `${url}/keys`, headers: { authorization: 'Bearer {{secret.admin}}' }, list: 'keys' },
  delete: {
    method: 'DELETE',
    url: `${url}/keys/{{id}}`,
    headers: { authorization: 'Bearer {{secret.admin}}' },
  },
})
