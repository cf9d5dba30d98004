/** The policies every new server has. `root` is not here: it has no text and grants everything. */

/** For every token. Operators may edit it, so a server writes it once and then leaves it alone. */
export const DEFAULT_POLICY = `# A token may look at, renew and revoke itself.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}

# A token may ask what it is allowed to do.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
path "sys/internal/ui/resultant-acl" {
  capabilities = ["read"]
}

# An entity may read itself, by id and by name, and nobody else.
path "identity/entity/id/{{identity.entity.id}}" {
  capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
  capabilities = ["read"]
}

# Who holds a lease id may look it up and renew it. The older renewal path is
# still in use.
path "sys/renew" {
  capabilities = ["update"]
}
path "sys/leases/renew" {
  capabilities = ["update"]
}
path "sys/leases/lookup" {
  capabilities = ["update"]
}

# A token may watch what it may read.
path "sys/coffer/watch" {
  capabilities = ["read"]
}

# The private space of this token. No other token, not even root, can reach it.
path "cubbyhole/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

# Wrap a response, look at a wrapping token, unwrap it.
path "sys/wrapping/wrap" {
  capabilities = ["update"]
}
path "sys/wrapping/lookup" {
  capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}

# Hash data that the caller brings along.
path "sys/tools/hash" {
  capabilities = ["update"]
}
path "sys/tools/hash/*" {
  capabilities = ["update"]
}

# See whether one's own request has been approved.
path "sys/control-group/request" {
  capabilities = ["update"]
}

# A client says how far it is with a rotated credential. It must be able to read
# that one.
path "sys/coffer/ack" {
  capabilities = ["update"]
}

# Log in to applications that use this server as their OpenID Connect provider.
path "identity/oidc/provider/+/authorize" {
  capabilities = ["read", "update"]
}
`

/** For wrapping tokens only; hidden from lists and not assignable. */
export const RESPONSE_WRAPPING_POLICY = `path "cubbyhole/response" {
  capabilities = ["create", "read"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}
`
