/** node:zlib, loaded when something is packed or summed: most scans meet neither, and it takes 3 ms. */
export const zlib = () => process.getBuiltinModule('node:zlib')
