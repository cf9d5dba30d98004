/** The process: turns the compile cache on, then becomes the program (sources in a clone, dist in a package). */
import { existsSync } from 'node:fs'
import { cacheCompiledCode } from './compile-cache.mjs'

cacheCompiledCode(process.env)
const sources = new URL('../src/cli/main.ts', import.meta.url)
await import(existsSync(sources) ? sources.href : new URL('../dist/cli/main.js', import.meta.url).href)
