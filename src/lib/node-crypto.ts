/**
 * node:crypto, loaded when something is hashed. An import of it is dear: an ES module of a built-in
 * reads all of its exports, and what is loaded on demand, such as WebCrypto, is then loaded. For what
 * runs in hooks it counts: 7 ms of each start.
 */
export const crypto = () => process.getBuiltinModule('node:crypto')
