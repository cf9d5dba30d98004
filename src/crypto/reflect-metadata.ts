/**
 * What `@peculiar/x509` expects to find before it is loaded: the four functions of the old metadata
 * proposal, which it uses to wire its own parts. Its documentation suggests a package for them; this
 * is all that package would be used for. Import it before x509.
 */
type Metadata = Map<unknown, unknown>
const known = new WeakMap<object, Metadata>()

function own(key: unknown, target: object): unknown {
  return known.get(target)?.get(key)
}

function define(key: unknown, value: unknown, target: object): void {
  let metadata = known.get(target)
  if (!metadata) known.set(target, (metadata = new Map()))
  metadata.set(key, value)
}

function inherited(key: unknown, target: object): unknown {
  for (let at: object | null = target; at; at = Object.getPrototypeOf(at) as object | null) {
    if (known.get(at)?.has(key)) return own(key, at)
  }
  return undefined
}

const functions = {
  defineMetadata: define,
  getOwnMetadata: own,
  getMetadata: inherited,
  metadata: (key: unknown, value: unknown) => (target: object, property?: PropertyKey) => {
    // Only classes are wired; what is said of their members nobody asks for.
    if (property === undefined) define(key, value, target)
  },
}

if (!('getMetadata' in Reflect)) {
  for (const [name, value] of Object.entries(functions)) {
    Object.defineProperty(Reflect, name, { value, configurable: true, writable: true })
  }
}
