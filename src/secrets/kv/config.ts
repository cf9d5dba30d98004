/** Settings of the whole mount, which hold for every key in it. */
import { type Call, endpoint, type EntryStore, type Parsed, refuse, t } from '../../kit/kit.ts'
import { formatGoDuration } from '../../lib/duration.ts'

export type Config = {
  /** 0 = not set. */
  readonly maxVersions: number
  readonly casRequired: boolean
  readonly metadataCasRequired?: boolean
  /** 0 = not set; negative = no version deletes itself, whatever its key says. */
  readonly deleteAfterSeconds: number
}

const UNSET: Config = { maxVersions: 0, casRequired: false, deleteAfterSeconds: 0 }
const DISABLED_SECONDS = -1
/** Vault keeps the number in 32 bits. */
const MAX_VERSIONS_MAX = 2 ** 32 - 1

export async function getConfig(store: EntryStore): Promise<Config> {
  return (await store.get<Config>('config')) ?? UNSET
}

export function checkMaxVersions(count: number | undefined): void {
  if (count !== undefined && (count < 0 || count > MAX_VERSIONS_MAX)) {
    refuse(`max_versions must be between 0 and ${MAX_VERSIONS_MAX}`)
  }
}

const fields = {
  max_versions: t.int({ help: 'How many versions a key keeps; 0 = 10.', clear: true }),
  cas_required: t.bool({ help: 'Every write must name the version it follows.', clear: true }),
  metadata_cas_required: t.bool({
    help: 'Every change of metadata must name the version of the metadata it follows.',
    clear: true,
  }),
  delete_version_after: t.signedDuration({
    help: 'How long until a version deletes itself; 0 = never, negative = never for all keys.',
    clear: true,
  }),
}

export const configEndpoint = endpoint('config', {
  help: 'Settings that hold for every key of this mount.',
  fields,
  read: async ({ store }) => describe(await getConfig(store)),
  write: writeConfig,
  example: { max_versions: 5, cas_required: false, delete_version_after: '3h25m19s' },
})

/** Only what the request brings is changed. */
async function writeConfig({ data, given, store }: Call<Parsed<typeof fields>>) {
  checkMaxVersions(data.max_versions)
  if (given.size === 0) return undefined
  const config = await getConfig(store)
  const seconds = data.delete_version_after ?? config.deleteAfterSeconds
  store.put('config', {
    maxVersions: data.max_versions ?? config.maxVersions,
    casRequired: data.cas_required ?? config.casRequired,
    metadataCasRequired: data.metadata_cas_required ?? config.metadataCasRequired ?? false,
    deleteAfterSeconds: seconds < 0 ? DISABLED_SECONDS : seconds,
  } satisfies Config)
  return undefined
}

const describe = (config: Config) => ({
  max_versions: config.maxVersions,
  cas_required: config.casRequired,
  metadata_cas_required: config.metadataCasRequired ?? false,
  delete_version_after: formatGoDuration(config.deleteAfterSeconds),
})
