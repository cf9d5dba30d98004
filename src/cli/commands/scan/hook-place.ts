/**
 * Where git looks for hooks, and who else is there. Git runs one program for each hook, from one folder:
 * whoever sets `core.hooksPath` or writes the file last is the only one that runs. So nobody's hook is
 * overwritten here; ours goes where the one that is there will call it, or calls it in turn.
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { asked } from '../../../scan/git-run.ts'
import { CliError } from '../../cli-error.ts'

export const HOOKS = ['pre-commit', 'pre-push'] as const
export type HookName = (typeof HOOKS)[number]

export const MARK = '# coffer scan hook'

export type Place = {
  /** The top of the work tree. */
  readonly top: string
  /** Where git looks. */
  readonly folder: string
  /** Set by `core.hooksPath` outside this repository: it is the same for all of them. */
  readonly isShared: boolean
  readonly beside: 'husky' | 'lefthook' | undefined
}

const LEFTHOOK = ['lefthook', '.lefthook'].flatMap((name) =>
  ['yml', 'yaml', 'json', 'toml'].map((end) => `${name}.${end}`),
)

/** Throws a CliError where there is no repository. */
export async function placeOf(start: string): Promise<Place> {
  const top = await asked(start, ['rev-parse', '--show-toplevel'])
  const hooks = await asked(start, ['rev-parse', '--git-path', 'hooks'])
  if (!top || hooks === undefined) {
    throw new CliError('scan: this is no work tree of git', { hint: 'git init makes one' })
  }
  const folder = resolve(start, hooks)
  const common = await asked(start, ['rev-parse', '--git-common-dir'])
  const isInside = [top, resolve(start, common ?? '.git')].some(
    (root) => !relative(root, folder).startsWith('..'),
  )
  const isHusky = basename(dirname(folder)) === '.husky' || basename(folder) === '.husky'
  const isLefthook = LEFTHOOK.some((name) => existsSync(join(top, name)))
  return {
    top,
    folder,
    isShared: !isInside,
    beside: isHusky ? 'husky' : isLefthook ? 'lefthook' : undefined,
  }
}

export type Found =
  | { readonly kind: 'none' }
  /** Ours, whatever it calls after. */
  | { readonly kind: 'ours'; readonly file: string }
  | { readonly kind: 'pre-commit framework'; readonly file: string }
  | { readonly kind: 'other'; readonly file: string }

/** Who is called when git looks for the hook. */
export function hookAt({ folder, beside, top }: Place, name: HookName): Found {
  // Husky's own file only calls the one that people edit.
  const isInner = beside === 'husky' && basename(folder) === '_'
  const file = isInner ? join(dirname(folder), name) : join(folder, name)
  if (beside === 'lefthook') {
    const local = join(top, LEFTHOOK_LOCAL)
    if (textOf(local).includes(MARK)) return { kind: 'ours', file: local }
  }
  const text = textOf(file)
  if (text === '') return { kind: 'none' }
  if (text.includes(MARK)) return { kind: 'ours', file }
  if (/\bpre-commit\.com\b|hook-impl/.test(text)) {
    const legacy = `${file}.legacy`
    return textOf(legacy).includes(MARK)
      ? { kind: 'ours', file: legacy }
      : { kind: 'pre-commit framework', file }
  }
  return { kind: 'other', file }
}

export const LEFTHOOK_LOCAL = 'lefthook-local.yml'

/** Where ours is to be written when nobody is there. */
export function fileFor({ folder, beside }: Place, name: HookName): string {
  const isInner = beside === 'husky' && basename(folder) === '_'
  return join(isInner ? dirname(folder) : folder, name)
}

export function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
