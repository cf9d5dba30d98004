# The shop app in staging reads its own secrets, and can ask which version is current. Nothing else.
path "apps/data/staging/*" {
  capabilities = ["read"]
}

path "apps/metadata/staging/*" {
  capabilities = ["read"]
}
