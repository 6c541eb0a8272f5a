#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A debug build aborts when a plugin breaks a rule, and says which.
set -eu
top=${top_srcdir:-.}
if [ "${DEBUG_BUILD:-no}" != yes ]; then
  echo "skipped: contracts are checked with --enable-debug"
  exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -g -fPIC -shared \
  -fvisibility=hidden "-I$top/include" "$top/tests/abi/violate.c" \
  -o "$tmp/violate.so" -pthread
chmod 755 "$tmp" "$tmp/violate.so"

cat >"$tmp/violate.yaml" <<YAML
listen:
  - address: 127.0.0.1:0
workers: 1
plugins:
  subprotocol-violate: { path: "$tmp/violate.so" }
  auth-violate: { path: "$tmp/violate.so" }
hubs:
  "*": {}
YAML
chmod 600 "$tmp/violate.yaml"

python3 "$top/tests/abi/contracts.py" "$WEBPUBSUBD" -c "$tmp/violate.yaml"
