/**
 * `scan -fix -rotate`: a value that the vault knew is replaced in the vault too, once no file holds it any
 * more. A secret that still stands somewhere is left: whoever reads it there would be locked out.
 */
import type { Finding } from '../../../scan/scan.ts'
import { CliError } from '../../cli-error.ts'
import type { Context } from '../../command.ts'
import { clean, stateText, type Told } from '../rotate/told.ts'

type At = Pick<Context, 'api' | 'io'>

export type Rotations = {
  readonly paths: readonly string[]
  readonly left: readonly { readonly path: string; readonly why: string }[]
}

const say = ({ io }: At, text: string) => void io.stdout.write(`${text}\n`)

/** What may be rotated when `changed` has been put right and `left` has not. Asks, changes nothing. */
export async function rotationsOf(
  at: At,
  { changed, left }: { changed: readonly Finding[]; left: readonly Finding[] },
): Promise<Rotations> {
  const still = new Map(left.map((finding) => [finding.known?.path, finding]))
  const paths: string[] = []
  const not: Rotations['left'][number][] = []
  for (const [path, [first]] of Map.groupBy(changed, ({ known }) => known?.path)) {
    if (path === undefined) continue
    const other = still.get(path)
    if (first!.known?.live !== true)
      not.push({ path, why: 'what was found is not served any more' })
    else if (other) not.push({ path, why: `it still stands in ${other.path}:${other.line}` })
    else {
      const why = await whyNot(at, path)
      if (why === undefined) paths.push(path)
      else not.push({ path, why })
    }
  }
  return { paths, left: not }
}

const CONFIG = 'sys/coffer/rotate/config'

async function whyNot({ api }: At, path: string): Promise<string | undefined> {
  const doing = `Error reading the rotation of ${path}`
  const asked = { method: 'GET', path: `sys/coffer/rotate/status/${path}`, doing } as const
  const told = (await api.secret(asked))?.data
  if (!told) return `no rotation is declared: coffer write ${CONFIG}/${path} kind=…`
  return told['kind'] === 'assisted'
    ? `somebody has to give the new value: coffer rotate now -value=- ${path}`
    : undefined
}

export function showRotations(at: At, { paths, left }: Rotations): void {
  for (const path of paths) say(at, `then rotated: ${clean(path)}`)
  for (const { path, why } of left) say(at, `not rotated: ${clean(path)}: ${clean(why)}`)
}

/** One after the other; one that fails keeps no other from it. Throws a CliError that names them. */
export async function rotateAll(at: At, { paths }: Rotations): Promise<void> {
  const failed: string[] = []
  for (const path of paths) {
    const doing = `Error rotating ${path}`
    try {
      const secret = await at.api.secret({
        method: 'PUT',
        path: `sys/coffer/rotate/now/${path}`,
        body: { wait: 'published' },
        doing,
      })
      const told = (secret?.data ?? {}) as Partial<Told>
      const { state = 'asked for', generation = 0, hold_reason = '' } = told
      const served =
        state === 'STAGED'
          ? stateText({ state, hold_reason })
          : `generation ${generation} is served`
      say(at, `rotated ${clean(path)}: ${served}`)
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      failed.push(path)
      say(at, `not rotated: ${clean(path)}: ${clean(error.message.replaceAll('\n', ' '))}`)
    }
  }
  if (failed.length === 0) return
  throw new CliError(
    `${failed.length} of ${paths.length} could not be rotated; the files are changed`,
    {
      hint: `coffer rotate status ${failed[0]!}, then coffer rotate now ${failed[0]!}`,
    },
  )
}
