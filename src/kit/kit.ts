/** The engine author's one import. */
export { t, type Parsed } from '../schema/field.ts'
export { collection, type Call, type Caller, type EntryStore, type MountView } from './call.ts'
export { defineEngine, endpoint, type Endpoint, type Engine } from './engine.ts'
export { Failure, refuse } from './failure.ts'
export { JsonText } from './json-text.ts'
export {
  applyRoleTokens,
  legacyTokenFields,
  type RoleTokens,
  shownRoleTokens,
} from './legacy-token-fields.ts'
export { checkSamePolicies, checkTokenPeer } from './login-rules.ts'
export { type Page } from '../storage/store.ts'
export { scanNames } from './scan-names.ts'
export { type Leaf, type Right, type Tree } from './tree.ts'
export { accepted, lease, login, reply, Reply, warn, withStatus } from './reply.ts'
export {
  applyTokenFields,
  canonicalPolicies,
  TOKEN_SETTINGS,
  tokenFields,
  tokenParams,
  type TokenSettings,
} from './token-fields.ts'
