/**
 * The two versions of this product. Clients gate on Vault's, so the server and a CLI started under
 * the name `vault` report a Vault-like one; coffer's own is for people.
 */

/** coffer's own version; a test holds it equal to package.json. */
export const COFFER_VERSION: string = '0.1.0'

/** The Vault release whose API this product answers as. */
export const VAULT_VERSION: string = '1.21.4'

/** What `sys/seal-status` and `vault version` call the build. It names no commit of ours. */
export const BUILD_ID: string = '6f6dbd1b1f3a4b5cd3d4a0f0c0ffe2c0ffe2c0ff'
export const BUILD_DATE: string = '2026-01-15T10:00:00Z'

type Env = Readonly<Record<string, string | undefined>>

/** The Vault version to report: COFFER_VAULT_VERSION where it is set, without a leading `v`. */
export function reportedVaultVersion(env: Env = process.env): string {
  const asked = env['COFFER_VAULT_VERSION']?.trim().replace(/^v/, '')
  return asked === undefined || asked === '' ? VAULT_VERSION : asked
}
