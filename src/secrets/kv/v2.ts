/** The versioned key-value engine: keeps the last versions of every secret, and can undo. */
import { defineEngine } from '../../kit/kit.ts'
import { configEndpoint } from './config.ts'
import { dataEndpoint } from './data.ts'
import { detailedMetadataEndpoint, metadataEndpoint } from './metadata.ts'
import { upgrade } from './find-key.ts'
import { kvRotations } from './rotate/kinds.ts'
import { subkeysEndpoint } from './subkeys.ts'
import { v2Tree } from './v2-tree.ts'
import { deleteEndpoint, destroyEndpoint, undeleteEndpoint } from './versions.ts'
import { anythingElse } from './wrong-path.ts'

export const kvV2 = defineEngine({
  type: 'kv',
  version: '2',
  help: 'Keeps secrets under paths, with their last versions.',
  upgrade,
  tree: v2Tree,
  rotations: kvRotations,
  endpoints: [
    configEndpoint,
    dataEndpoint,
    metadataEndpoint,
    detailedMetadataEndpoint,
    subkeysEndpoint,
    deleteEndpoint,
    undeleteEndpoint,
    destroyEndpoint,
    anythingElse,
  ],
})
