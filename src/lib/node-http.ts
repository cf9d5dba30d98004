/**
 * node:http without what comes with an import of it: an ES module of a built-in reads all of its
 * exports, and those that are loaded on demand (undici, HTTP/2, TLS) are then loaded.
 */
export const http = process.getBuiltinModule('node:http')
