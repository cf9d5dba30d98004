#!/bin/sh
# Installs the packages when they are missing or the lock file is newer. Quiet when there is nothing to do.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.package-lock.json
if [ -x node_modules/node/bin/node ] && [ -f "$stamp" ] && [ ! package-lock.json -nt "$stamp" ]; then exit 0; fi
echo "coffer: installing packages (once) …" >&2
npm ci --no-audit --no-fund --loglevel=error >&2
# The first start should be as quick as every other: have the server's code compiled and kept.
bin/coffer server -help >/dev/null 2>&1 || true
