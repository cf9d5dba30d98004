# The shop app in production reads its own secrets, and can ask which version is current. Nothing else.
path "apps/data/production/*" {
  capabilities = ["read"]
}

path "apps/metadata/production/*" {
  capabilities = ["read"]
}
