/**
 * Revocation lists. They are read from the store at every login, so a server that has just started
 * knows them as well as any. A serial number that any list of the mount names is revoked.
 */
import { collection, endpoint, type EntryStore, refuse, t } from '../../kit/kit.ts'
import { type Certificate, revokedSerials } from './certificate.ts'

/** Entry `crl/<lower-cased name>`: decimal serial numbers. */
type RevocationList = { serials: Record<string, Record<string, never>> }

const lists = collection<RevocationList>('crl/')

const name = t.name({ help: 'Name of the list; upper and lower case are the same.' })
const canonical = (given: string) => given.toLowerCase()

export const revocationEndpoints = [
  endpoint('crls', {
    help: 'The names of all revocation lists.',
    fields: {},
    list: async ({ store }) => ({ keys: await lists.names(store) }),
  }),
  endpoint('crls/:name', {
    help: 'A revocation list. What it names may not log in.',
    fields: {
      name,
      crl: t.string({ help: 'The list, as PEM or as DER in base64.' }),
      url: t.string({ help: 'Refused: lists are not fetched.' }),
    },
    async read({ data, store }) {
      const list = await lists.get(store, canonical(data.name))
      return list ? { cdp: null, serials: list.serials } : refuse(`no such CRL ${data.name}`)
    },
    async write({ data, store }) {
      const { crl = '', url = '' } = data
      if (url !== '') refuse("a CRL is not fetched by its 'url' here: write its text as 'crl'")
      if (crl === '') refuse("'crl' must be provided")
      lists.put(store, canonical(data.name), { serials: await serialsIn(crl) })
      return undefined
    },
    async delete({ data, store }) {
      const list = await lists.get(store, canonical(data.name))
      if (!list) return refuse(`no such CRL ${data.name}`)
      lists.remove(store, canonical(data.name))
      return undefined
    },
    example: { crl: '-----BEGIN X509 CRL-----\n…' },
  }),
]

async function serialsIn(crl: string): Promise<RevocationList['serials']> {
  try {
    return Object.fromEntries((await revokedSerials(crl)).map((serial) => [serial, {}]))
  } catch {
    return refuse('failed to parse CRL')
  }
}

/** Whether a certificate is on any list, by the lists as they are now. */
export async function revocations(
  store: EntryStore,
): Promise<(certificate: Certificate) => boolean> {
  const names = await lists.names(store)
  const all = await Promise.all(names.map(async (each) => lists.get(store, each)))
  return ({ serial }) => all.some((list) => list && Object.hasOwn(list.serials, serial))
}
