/** Several test files in one process, one after another: what all of them import is loaded once. */
import { pathToFileURL } from 'node:url'

for (const file of process.argv.slice(2)) await import(pathToFileURL(file).href)
