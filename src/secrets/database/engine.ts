/**
 * Databases: users that are made for whoever asks and dropped when their lease ends, and users of
 * long standing whose passwords are rotated. Speaks Vault's API; the drivers are loaded when used.
 */
import { defineEngine } from '../../kit/kit.ts'
import { configEndpoints } from './config.ts'
import { closeAllTargets } from './connection.ts'
import { credsEndpoints, credsLease, dropMade } from './creds.ts'
import { PLUGIN_NAMES } from './plugins.ts'
import { resetEndpoints } from './reset.ts'
import { roleEndpoints } from './roles.ts'
import { restoreRoot, rotateRootEndpoints } from './rotate-root.ts'
import { staticKind } from './rotation/kinds.ts'
import { staticCredsEndpoints } from './static-creds.ts'
import { staticRoleEndpoints } from './static-roles.ts'

export default defineEngine({
  type: 'database',
  help: 'Users of databases, for a time or with passwords that are rotated.',
  endpoints: [
    ...configEndpoints,
    ...resetEndpoints,
    ...rotateRootEndpoints,
    ...roleEndpoints,
    ...credsEndpoints,
    ...staticRoleEndpoints,
    ...staticCredsEndpoints,
  ],
  leases: { creds: credsLease },
  undo: { 'drop-user': dropMade, 'restore-root': restoreRoot },
  rotations: { ab: staticKind('ab'), dual: staticKind('dual'), single: staticKind('single') },
  databases: PLUGIN_NAMES,
  sealed: closeAllTargets,
})
