/** The API over HTTP without a client in between, for tests that look at what was really answered. */
export type Ask = {
  token?: string | undefined
  headers?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, string | number>>
}
export type Reply = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Empty when the body is not a JSON object. */
  readonly body: Record<string, unknown>
  readonly errors: readonly string[]
  /** What is at a path of the body such as `data.keys`; undefined when it is not there. */
  at(path: string): unknown
}
export type Api = {
  send(method: string, path: string, ask?: Ask & { body?: unknown }): Promise<Reply>
  read(path: string, ask?: Ask): Promise<Reply>
  list(path: string, ask?: Ask): Promise<Reply>
  write(path: string, body?: unknown, ask?: Ask): Promise<Reply>
  patch(path: string, body: unknown, ask?: Ask): Promise<Reply>
  delete(path: string, ask?: Ask): Promise<Reply>
}

/** The API without a client in between: paths without `/v1/`, every status is an answer. */
export function http(address: string, defaults: Ask = {}): Api {
  const send: Api['send'] = async (method, path, { body, ...given } = {}) => {
    const { token, headers, query = {} } = { ...defaults, ...given }
    const url = new URL(`${address}/v1/${path}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value))
    const answer = await fetch(url, {
      method,
      headers: {
        // A connection that is kept would outlive the server, and fail after its restart.
        connection: 'close',
        ...(token !== undefined && { 'x-vault-token': token }),
        ...(body !== undefined && {
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return replyOf(answer.status, answer.headers, await answer.text())
  }
  return {
    send,
    read: (path, ask) => send('GET', path, ask),
    list: (path, ask) => send('GET', path, { ...ask, query: { ...ask?.query, list: 'true' } }),
    write: (path, body = {}, ask = {}) => send('POST', path, { ...ask, body }),
    patch: (path, body, ask) => send('PATCH', path, { ...ask, body }),
    delete: (path, ask) => send('DELETE', path, ask),
  }
}

function replyOf(status: number, headers: Headers, text: string): Reply {
  let body: Record<string, unknown> = {}
  if (headers.get('content-type')?.includes('json') && text !== '') {
    body = Object(JSON.parse(text)) as Record<string, unknown>
  }
  return {
    status,
    headers,
    text,
    body,
    errors: (body['errors'] ?? []) as string[],
    at(path: string): unknown {
      let found: unknown = body
      for (const name of path.split('.')) found = (Object(found) as Record<string, unknown>)[name]
      return found
    },
  }
}
