/** What `server` prints: where it listens, the keys of dev mode, and what to try next. */
import type { AddressInfo } from 'node:net'
import type { DevKeys } from '../server/dev.ts'

export type Banner = {
  program: string
  version: string
  storage: string
  listeners: readonly { address: AddressInfo; secure: boolean }[]
  logLevel: string
  workers: number
}

export function urlOf({ address, secure }: Banner['listeners'][number]): string {
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${secure ? 'https' : 'http'}://${host}:${address.port}`
}

export function configurationText(banner: Banner): string {
  const rows: [string, string][] = [
    ...banner.listeners.map((listener, i): [string, string] => [
      `Listener ${i + 1}`,
      `tcp (addr: "${urlOf(listener).replace(/^https?:\/\//, '')}", tls: "${listener.secure ? 'enabled' : 'disabled'}")`,
    ]),
    ['Log Level', banner.logLevel],
    ['Storage', banner.storage],
    ['Version', banner.version],
    ...(banner.workers > 1 ? [['Workers', String(banner.workers)] as [string, string]] : []),
  ]
  const lines = rows.map(([name, value]) => `${name.padStart(22)}: ${value}`)
  return [
    `==> ${banner.program === 'coffer' ? 'coffer' : 'Vault'} server configuration:`,
    '',
    ...lines,
    '',
    `==> ${banner.program === 'coffer' ? 'coffer' : 'Vault'} server started! Log data will stream in below:`,
    '',
  ].join('\n')
}

export type DevText = {
  program: string
  url: string
  keys: DevKeys
  dataDir: string | undefined
  caFile: string | undefined
  tokenStored: boolean
}

export function devText({ program, url, keys, dataDir, caFile, tokenStored }: DevText): string {
  const keeps = dataDir
    ? [
        `Dev mode, with its data in ${dataDir}`,
        'It opens itself at the next start, with the key file there. Not for production:',
        'whoever reads that folder reads every secret.',
      ]
    : ['Dev mode: everything is in memory and is gone when this stops.', 'Not for production.']
  return [
    ...keeps,
    '',
    `Address:    ${url}`,
    `Unseal Key: ${keys.unsealKey}`,
    `Root Token: ${keys.rootToken}`,
    '',
    'Try, in another terminal:',
    '',
    `    $ export VAULT_ADDR='${url}'`,
    ...(caFile ? [`    $ export VAULT_CACERT='${caFile}'`] : []),
    ...(tokenStored ? [] : [`    $ export VAULT_TOKEN='${keys.rootToken}'`]),
    `    $ ${program} kv put secret/app/db password=hunter2`,
    `    $ ${program} kv get secret/app/db`,
    '',
  ].join('\n')
}
