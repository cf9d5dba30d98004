/**
 * Makes a git repository whose history is large when it is unpacked and small on the disk: many files of
 * medium size that change a little at a time, and some large ones. For looking at the memory of a scan:
 *
 *   node test/bench/big-history.ts FOLDER [GB]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { seeded } from '../torture/seeded.ts'

const REVISIONS = 100
const FILE_BYTES = 100_000
const LARGE_BYTES = 6_000_000
const LARGE = 30
const FILES_A_COMMIT = 20
const LINE_BYTES = 60

const [folder, gigabytes = '4'] = process.argv.slice(2)
if (folder === undefined) throw new Error('say where: node test/bench/big-history.ts FOLDER [GB]')
const files = Math.ceil((Number(gigabytes) * 1e9) / (REVISIONS * FILE_BYTES))

mkdirSync(folder, { recursive: true })
await ended(spawn('git', ['init', '-q', '-b', 'main', folder], { stdio: 'inherit' }))
const git = spawn('git', ['-C', folder, 'fast-import', '--quiet'], {
  stdio: ['pipe', 'inherit', 'inherit'],
})
const random = seeded(7)
const WORDS =
  'const return await value from import config user request answer name = ( ) { } : , => [ ]'.split(
    ' ',
  )

async function write(text: string | Buffer): Promise<void> {
  if (!git.stdin.write(text)) await once(git.stdin, 'drain')
}

function line(): string {
  let text = ''
  while (text.length < LINE_BYTES) text += `${WORDS[random.below(WORDS.length)]} `
  return `${text}${random.below(1e9).toString(36)}\n`
}

const linesOf = (bytes: number) => Array.from({ length: Math.ceil(bytes / LINE_BYTES) }, line)

async function blob(mark: number, lines: readonly string[]): Promise<void> {
  const bytes = Buffer.from(lines.join(''))
  await write(`blob\nmark :${mark}\ndata ${bytes.length}\n`)
  await write(bytes)
}

// Revisions of one file in a row: each is stored as what differs from the one before.
let mark = 0
for (let file = 0; file < files; file++) {
  const lines = linesOf(FILE_BYTES)
  for (let revision = 0; revision < REVISIONS; revision++) {
    for (let change = 0; change < 10; change++) lines[random.below(lines.length)] = line()
    if (revision === 50 && file % 20 === 0) {
      lines[0] = `token = "ghp_${'x7Kq'.repeat(9)}"\n`
    }
    await blob(++mark, lines)
  }
}
const large = linesOf(LARGE_BYTES)
for (let i = 0; i < LARGE; i++) {
  for (let change = 0; change < 1_000; change++) large[random.below(large.length)] = line()
  await blob(++mark, large)
}

let commits = 0
async function commit(changes: readonly (readonly [path: string, mark: number])[]): Promise<void> {
  const when = 1_700_000_000 + 60 * commits++
  await write(`commit refs/heads/main\ncommitter A <a@example.org> ${when} +0000\ndata 2\nc\n`)
  await write(changes.map(([path, of]) => `M 100644 :${of} ${path}\n`).join(''))
}

for (let revision = 0; revision < REVISIONS; revision++) {
  for (let from = 0; from < files; from += FILES_A_COMMIT) {
    const some = Array.from({ length: Math.min(FILES_A_COMMIT, files - from) }, (_, i) => from + i)
    await commit(
      some.map((file) => [`src/${file % 50}/file${file}.js`, file * REVISIONS + revision + 1]),
    )
  }
}
for (let i = 0; i < LARGE; i++) await commit([[`data/large${i}.txt`, files * REVISIONS + i + 1]])
git.stdin.end()
await ended(git)

async function ended(child: ReturnType<typeof spawn>): Promise<void> {
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error('git failed')
}
