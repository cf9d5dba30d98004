/** Paths drawn as a tree, each name once. */

type Node = Map<string, Node>

/** `paths` are relative to `root`; a name can be a leaf and, with its slash, a folder too. */
export function drawTree(root: string, paths: readonly string[]): string {
  const tree: Node = new Map()
  for (const path of paths) {
    let node = tree
    for (const name of path.match(/[^/]*\/|[^/]+$/g) ?? []) {
      let next = node.get(name)
      if (!next) node.set(name, (next = new Map()))
      node = next
    }
  }
  return [root, ...branches(tree, '')].join('\n')
}

function branches(node: Node, indent: string): string[] {
  const last = node.size - 1
  return [...node].flatMap(([name, inner], i) => [
    `${indent}${i === last ? '└── ' : '├── '}${name}`,
    ...branches(inner, indent + (i === last ? '    ' : '│   ')),
  ])
}
