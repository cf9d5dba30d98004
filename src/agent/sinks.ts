/** Puts the agent's token where programs look for it: a file each, as it is or wrapped. */
import { type Client } from '../client/connect.ts'
import { type Secret } from '../lib/secret.ts'
import { type SinkConfig } from './config.ts'
import { writeWhole } from './write-file.ts'

export async function writeSink(client: Client, sink: SinkConfig, token: Secret): Promise<void> {
  const text =
    sink.wrapSeconds === undefined ? token.reveal() : await wrapped(client, sink.wrapSeconds, token)
  await writeWhole(sink.path, text, { mode: sink.mode })
}

/** What the file holds then opens once: `unwrap` gives `token`. */
async function wrapped(client: Client, seconds: number, token: Secret): Promise<string> {
  const options = { wrapTtl: `${seconds}s`, background: true }
  const { wrapInfo } = await client.write('sys/wrapping/wrap', { token: token.reveal() }, options)
  if (!wrapInfo) throw new Error('the server did not wrap the token')
  return `${JSON.stringify({
    token: wrapInfo.token.reveal(),
    accessor: wrapInfo.accessor,
    ttl: wrapInfo.ttlSeconds,
    creation_time: wrapInfo.creationTime,
    creation_path: wrapInfo.creationPath,
  })}\n`
}
