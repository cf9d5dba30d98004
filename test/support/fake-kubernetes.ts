/** A fake of the one thing of the Kubernetes API that is asked here: TokenReview, over TLS. */
import { createServer } from 'node:https'
import { type AddressInfo } from 'node:net'
import { authority, certificate, SERVER_AUTH } from './authority.ts'

export type Review = { token: string; audiences: string[] | undefined; bearer: string }

export type FakeKubernetes = AsyncDisposable & {
  readonly url: string
  /** PEM of the authority of its certificate. */
  readonly ca: string
  /** What it was asked, in order. */
  readonly asked: Review[]
  /** What it answers: a status of HTTP and a body. */
  answer: (review: Review) => [status: number, body: unknown]
}

/** The status of a review that knows the account. */
export const known = (namespace: string, name: string, uid: string, audiences?: string[]) => ({
  authenticated: true,
  user: {
    username: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ['system:serviceaccounts', 'system:authenticated'],
  },
  ...(audiences && { audiences }),
})

/** As a pod finds it, but for the signature: that is the cluster's to judge. */
export function accountToken(namespace: string, name: string, uid: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 600
  const account = { namespace, serviceaccount: { name, uid } }
  return [{ alg: 'RS256' }, { iss: 'k8s', exp, 'kubernetes.io': account }, 'signed']
    .map(part)
    .join('.')
}

export async function fakeKubernetes(): Promise<FakeKubernetes> {
  const root = await authority('fake kubernetes')
  const names = [{ type: 'ip', value: '127.0.0.1' } as const]
  const own = await certificate({ subject: 'CN=api', usages: [SERVER_AUTH], names }, root)
  const asked: Review[] = []
  const server = createServer({ cert: own.pem, key: own.keyPem }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { spec } = JSON.parse(Buffer.concat(chunks).toString() || '{}') as {
        spec?: { token: string; audiences?: string[] }
      }
      const right = request.url === '/apis/authentication.k8s.io/v1/tokenreviews'
      const review = {
        token: spec?.token ?? '',
        audiences: spec?.audiences,
        bearer: (request.headers.authorization ?? '').replace(/^Bearer /, ''),
      }
      asked.push(review)
      const [status, body] = right ? self.answer(review) : [404, {}]
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const self: FakeKubernetes = {
    answer: () => [201, { status: { authenticated: false } }],
    url: `https://127.0.0.1:${port}`,
    ca: root.pem,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  return self
}
