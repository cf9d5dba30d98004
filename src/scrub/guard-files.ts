/** The functions of `node:fs` that write to a descriptor by its number, or by a name it has. */
import fs from 'node:fs'

type Files = Pick<
  typeof fs,
  'writeSync' | 'write' | 'writev' | 'writevSync' | 'writeFileSync' | 'appendFileSync'
>

type Print = (bytes: Uint8Array) => void

/** Callers are told that all they gave was written. What is returned puts everything back. */
export function patchFiles(printTo: (fd: number) => Print | undefined): () => void {
  const { writeSync, write, writev, writevSync, writeFileSync, appendFileSync } = fs
  const original: Files = { writeSync, write, writev, writevSync, writeFileSync, appendFileSync }
  const outOf = (fd: unknown) => (typeof fd === 'number' ? printTo(fd) : undefined)
  const patched = {
    writeSync(fd: number, data: unknown, ...rest: unknown[]) {
      const print = outOf(fd)
      if (print) return printed(print, given(data, rest))
      return Reflect.apply(original.writeSync, fs, [fd, data, ...rest]) as number
    },
    write(fd: number, data: unknown, ...rest: unknown[]) {
      const print = outOf(fd)
      if (print) answer(rest, printed(print, given(data, rest)), data)
      else Reflect.apply(original.write, fs, [fd, data, ...rest])
    },
    writev(fd: number, views: readonly NodeJS.ArrayBufferView[], ...rest: unknown[]) {
      const print = outOf(fd)
      if (print) answer(rest, printed(print, joined(views)), views)
      else Reflect.apply(original.writev, fs, [fd, views, ...rest])
    },
    writevSync(fd: number, views: readonly NodeJS.ArrayBufferView[], ...rest: unknown[]) {
      const print = outOf(fd)
      if (print) return printed(print, joined(views))
      return Reflect.apply(original.writevSync, fs, [fd, views, ...rest]) as number
    },
    ...Object.fromEntries(
      (['writeFileSync', 'appendFileSync'] as const).map((name) => [
        name,
        (path: unknown, data: unknown, ...rest: unknown[]) => {
          const print = outOf(typeof path === 'string' ? FILES[path] : path)
          if (print) print(given(data, rest))
          else Reflect.apply(original[name], fs, [path, data, ...rest])
        },
      ]),
    ),
  }
  for (const [name, patch] of Object.entries(patched)) {
    // What `util.promisify` finds on the function stays on it.
    Object.defineProperties(patch, Object.getOwnPropertyDescriptors(original[name as keyof Files]))
  }
  Object.assign(fs, patched)
  return () => void Object.assign(fs, original)
}

const FILES: Record<string, number> = {
  '/dev/stdout': 1,
  '/dev/stderr': 2,
  '/dev/fd/1': 1,
  '/dev/fd/2': 2,
  '/proc/self/fd/1': 1,
  '/proc/self/fd/2': 2,
}

function printed(print: Print, bytes: Uint8Array): number {
  print(bytes)
  return bytes.length
}

/** The bytes that a call of `write` means, whatever form it took. */
function given(data: unknown, rest: readonly unknown[]): Uint8Array {
  if (typeof data === 'string') {
    const encoding = rest.find((one) => typeof one === 'string') as BufferEncoding | undefined
    return Buffer.from(data, Buffer.isEncoding(encoding ?? '') ? encoding : 'utf8')
  }
  const view = data as NodeJS.ArrayBufferView
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  const [first, length] = rest
  if (typeof first === 'object' && first !== null) {
    const { offset = 0, length: some } = first as { offset?: number; length?: number }
    return bytes.subarray(offset, some === undefined ? undefined : offset + some)
  }
  const offset = typeof first === 'number' ? first : 0
  return bytes.subarray(offset, typeof length === 'number' ? offset + length : undefined)
}

function joined(views: readonly NodeJS.ArrayBufferView[]): Uint8Array {
  return Buffer.concat(views.map((view) => given(view, [])))
}

function answer(rest: readonly unknown[], count: number, data: unknown): void {
  const done = rest.findLast((one) => typeof one === 'function')
  if (done) process.nextTick(done, null, count, data)
}
