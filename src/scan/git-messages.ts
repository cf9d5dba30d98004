/** What people wrote about commits and tags: it is sent with them, and nobody looks there for secrets. */
import type { Commit } from './git.ts'
import { git, tokens } from './git-run.ts'

/** Told as a path: no file has such a name in any checkout that git makes by itself. */
export const COMMIT_MESSAGE = '<commit message>'
export const tagMessage = (name: string): string => `<message of tag ${name}>`

export type Message = { readonly path: string; readonly commit: Commit; readonly bytes: Buffer }

const FIELDS = [
  ...['objecttype', 'objectname', '*objectname', 'taggername', 'taggeremail'],
  ...['taggerdate:iso-strict', 'refname:strip=2', 'contents'],
]

/** Of annotated tags; `of` says of which, by the names of the tag and of the commit it is on. */
export async function* tagMessages(
  folder: string,
  of: (tag: string, commit: string) => boolean,
): AsyncGenerator<Message> {
  const format = FIELDS.map((name) => `%(${name})%00`).join('')
  const child = git(folder, ['for-each-ref', `--format=${format}`, 'refs/tags'])
  child.stdin.end()
  try {
    let fields: Buffer[] = []
    for await (const token of tokens(child.stdout)) {
      // Fields are counted: whatever is in a message ends no record.
      if (fields.push(Buffer.from(token)) < FIELDS.length) continue
      const [kind, id, on, author, email, date, name] = fields.map((field) => field.toString())
      const bytes = fields.at(-1)!
      fields = []
      if (kind!.trimStart() !== 'tag' || bytes.length === 0 || !of(id!, on!)) continue
      const commit = { id: id!, author: author!, email: email!.replace(/^<|>$/g, ''), date: date! }
      yield { path: tagMessage(name!), commit, bytes }
    }
    await child.ended
  } finally {
    child.stop()
  }
}
