/**
 * Which operations a published API description has, as bare facts: method, path template, and
 * whether it says that the path needs sudo or no token. The description itself is someone else's
 * text and stays where it is.
 *
 *   node scripts/operations.ts openapi.json > test/coverage/operations.txt
 */
import { readFileSync } from 'node:fs'

type Parameter = { name: string }
type Described = Partial<Record<'get' | 'post' | 'patch' | 'delete', { parameters?: Parameter[] }>>
type PathItem = Described & { 'x-vault-sudo'?: boolean; 'x-vault-unauthenticated'?: boolean }

const [file] = process.argv.slice(2)
if (!file) {
  console.error('usage: node scripts/operations.ts openapi.json')
  process.exit(2)
}
const { paths } = JSON.parse(readFileSync(file, 'utf8')) as { paths: Record<string, PathItem> }
const lines: string[] = []
for (const [path, item] of Object.entries(paths)) {
  const flags = [
    ...(item['x-vault-sudo'] ? ['sudo'] : []),
    ...(item['x-vault-unauthenticated'] ? ['public'] : []),
  ]
  for (const method of ['get', 'post', 'patch', 'delete'] as const) {
    const operation = item[method]
    if (!operation) continue
    // A list is described as a GET with `list` in its query.
    const lists = operation.parameters?.some(({ name }) => name === 'list')
    lines.push([lists ? 'LIST' : method.toUpperCase(), path, ...flags].join(' '))
  }
}
console.log(lines.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).join('\n'))

/** By path, then by method. */
function keyOf(line: string): string {
  const [method, path] = line.split(' ')
  return `${path} ${method}`
}
