/**
 * `sys/internal/specs/openapi`: the API as a document, with the mounts that the caller can do
 * something with. How a document is made is given from outside; the core only says of what.
 */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint, type Engine } from '../../kit/engine.ts'
import { Failure } from '../../kit/failure.ts'
import { bare } from '../../kit/reply.ts'
import { t } from '../../schema/field.ts'
import { type Scope } from '../../barrier/space.ts'
import { type Core } from '../core.ts'
import { type Mount } from '../mounts.ts'
import { scopeOf } from '../turn.ts'
import { type Asker, aclOfAsker } from './ui-mounts.ts'

export type OpenapiOptions = {
  openapi?: (
    mounts: readonly { path: string; engine: Engine }[],
    options: { version: string; genericMountPaths: boolean },
  ) => Record<string, unknown>
}

async function mountsOf(core: Core, scope: Scope, asker: Asker): Promise<Mount[]> {
  const found: Mount[] = []
  for (const { path } of (await core.mounts.table(scope)).mounts) {
    const mount = asker.anyBelow(path) ? await core.mounts.at(scope, path) : undefined
    if (mount) found.push(mount)
  }
  return found
}

export function openapiEndpoints(core: Core, { openapi }: OpenapiOptions): Endpoint[] {
  async function document(call: Call<{ generic_mount_paths: boolean }>) {
    if (!openapi) throw new Failure('unsupported_path', undefined, { wrapped: true })
    const asker = await aclOfAsker(call as never, core)
    // Who brings no token learns the form of the document and nothing of what is mounted.
    const visible = asker ? await mountsOf(core, scopeOf(call as never), asker) : []
    return bare(
      openapi(
        visible.map(({ entry, engine }) => ({ path: entry.path, engine })),
        { version: core.settings.version, genericMountPaths: call.data.generic_mount_paths },
      ),
    )
  }
  return [
    endpoint('internal/specs/openapi', {
      help: 'The API as an OpenAPI document.',
      access: 'public',
      fields: {
        generic_mount_paths: t.bool({
          help: 'Each engine once, with its mount left open.',
          default: false,
        }),
        context: t.string({ help: 'Taken for compatibility.', clear: true }),
      },
      read: document,
      write: document,
    }),
  ]
}
