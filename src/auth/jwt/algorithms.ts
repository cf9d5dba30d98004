/**
 * The signatures that count: all of them by a key of which we know only the public half. `none` and
 * the HMACs are not here, and so neither is their confusion with a public key that is known to all.
 */
export const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
]
