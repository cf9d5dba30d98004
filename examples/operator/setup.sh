#!/bin/sh
# What an operator does once for the shop app: a mount, and for each environment its three secrets,
# a policy that reads these and nothing else, and a role to log in with.
#
#   VAULT_ADDR=… VAULT_TOKEN=… sh examples/operator/setup.sh FOLDER
#
# FOLDER/staging and FOLDER/production get the role id and the secret id, for the hand-over to the
# apps. Values never appear on a command line: they go in by files that only this user can read.
set -eu
out=${1:?usage: setup.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
coffer=${COFFER:-$here/../../bin/coffer}
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$coffer" secrets enable -path=apps -version=2 kv
"$coffer" auth enable approle

for env in staging production; do
  # Stand-ins for what the database, the payment provider and the certificate authority gave out.
  printf 'postgres://shop:%s@db.%s.internal:5432/shop' "$(openssl rand -hex 16)" "$env" > "$work/url"
  printf 'pay_%s_%s' "$env" "$(openssl rand -hex 20)" > "$work/key"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj "/CN=shop.$env.internal" -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
    -keyout "$work/tls.key" -out "$work/tls.crt" 2> "$work/openssl.log" || { cat "$work/openssl.log" >&2; exit 1; }

  "$coffer" kv put -mount=apps "$env/database" url=@"$work/url" > /dev/null
  "$coffer" kv put -mount=apps "$env/payments" api_key=@"$work/key" > /dev/null
  "$coffer" kv put -mount=apps "$env/tls" certificate=@"$work/tls.crt" private_key=@"$work/tls.key" > /dev/null

  "$coffer" policy write "shop-$env" "$here/shop-$env.hcl"
  "$coffer" write "auth/approle/role/shop-$env" \
    token_policies="shop-$env" token_ttl=20m secret_id_ttl=720h > /dev/null
  mkdir -p "$out/$env"
  "$coffer" read -field=role_id "auth/approle/role/shop-$env/role-id" > "$out/$env/role-id"
  "$coffer" write -f -field=secret_id "auth/approle/role/shop-$env/secret-id" > "$out/$env/secret-id"
  echo "shop-$env: three secrets, one policy, one role; its ids are in $out/$env"
done
