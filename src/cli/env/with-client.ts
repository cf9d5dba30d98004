/** Work with the client library from a command: what it meets becomes an error of the command line. */
import { type Client, connect } from '../../client/connect.ts'
import { CofferError, DeniedError, InvalidRequestError, NetworkError } from '../../client/errors.ts'
import { CliError, messageOf } from '../cli-error.ts'
import { type Context } from '../command.ts'
import { clientOptions } from '../http/client-options.ts'
import { startHint } from '../http/failure-text.ts'

type At = Pick<Context, 'settings' | 'io' | 'program'>

export async function withClient<T>(at: At, work: (client: Client) => Promise<T>): Promise<T> {
  let client: Client | undefined
  try {
    client = await connect(clientOptions(at))
    return await work(client)
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    throw new CliError(messageOf(error), { cause: error, exit: 2, ...hintFor(at, error) })
  } finally {
    await client?.close()
  }
}

function hintFor({ program, settings }: At, error: CofferError): { hint?: string } {
  if (error instanceof NetworkError) return { hint: startHint(program) }
  if (error instanceof InvalidRequestError && settings.token === undefined)
    return { hint: `log in: ${program} login` }
  if (!(error instanceof DeniedError)) return {}
  return { hint: `log in with ${program} login, or ask for a policy that allows it` }
}
